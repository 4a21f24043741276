"""Runs that are killed with SIGKILL and resumed end as if nothing had happened. `make faults` does many more."""

import pytest
from cases import MODES, NETS
from killing import draw_kills, kill_and_resume


def _before(change):
    return {"kill": {"change": change}}


def _after_epoch(number):
    return {"kill": {"epoch": number}}


@pytest.mark.parametrize(
    ("net", "mode", "kills"),
    [
        (
            "dropout",
            "whole_epoch",
            [_before("rename checkpoint/.000002-000004"), _after_epoch(4), _before("open .last")],
        ),
        ("augmentation", "stepwise", [_after_epoch(3)]),
    ],
)
def test_a_killed_run_resumed_equals_an_uninterrupted_one(server, whole, path, net, mode, kills):
    story = kill_and_resume(server, whole(net, mode), path, kills)
    assert story.kills == len(kills)
    assert story.equal, story


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "open .run.json",
        "open checkpoint/.000004.tmp/state.json",
        "rmdir checkpoint/000002-000008",
        "rename .best.tmp.keras",
        "remove .timing.csv",
        "open .metrics.json",
    ],
)
def test_a_kill_just_before_a_change_of_a_file_loses_nothing(server, whole, path, change):
    story = kill_and_resume(server, whole(), path, [_before(change)])
    assert story.kills == 1
    assert story.equal, story


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", NETS)
def test_random_kills(server, whole, path, net, mode):
    run = whole(net, mode)
    story = kill_and_resume(server, run, path, draw_kills(run, number=len(net + mode)))
    assert story.equal, story

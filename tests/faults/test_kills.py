"""Runs that are killed with SIGKILL and resumed end as if nothing had happened. `make faults` does many more."""

import pytest
from cases import MODES, NETS
from killing import Whole, draw_kills, kill_and_resume, train_whole


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """Makes the uninterrupted run of a case, once."""
    made: dict[tuple[str, str], Whole] = {}

    def make(net: str, mode: str) -> Whole:
        if (net, mode) not in made:
            made[net, mode] = train_whole(server, tmp_path_factory.mktemp(f"{net}_{mode}"), net, mode)
        return made[net, mode]

    return make


@pytest.mark.parametrize(
    ("net", "mode", "kills"),
    [
        ("dropout", "whole_epoch", [{"kill": {"epoch": 1}}, {"kill": {"epoch": 4}}]),
        ("dropout", "whole_epoch", [0.6]),
        ("augmentation", "stepwise", [{"kill": {"epoch": 3}}]),
    ],
)
def test_a_killed_run_resumed_equals_an_uninterrupted_one(server, whole, tmp_path, net, mode, kills):
    story = kill_and_resume(server, whole(net, mode), tmp_path / "runs" / "cut" / "run", kills)
    assert story.kills == len(kills)
    assert story.equal, story


@pytest.mark.parametrize(
    "moment",
    [
        "rename checkpoint/.3.tmp",
        pytest.param("open checkpoint/.4.tmp/state.json", marks=pytest.mark.slow),
        pytest.param("rename .best.tmp.keras", marks=pytest.mark.slow),
        pytest.param("remove .timing.csv", marks=pytest.mark.slow),
        "open .last.tmp.keras",
        pytest.param("open .metrics.json", marks=pytest.mark.slow),
        pytest.param("rename .run.json", marks=pytest.mark.slow),
    ],
)
def test_a_kill_just_before_a_change_of_a_file_loses_nothing(server, whole, tmp_path, moment):
    run = whole("dropout", "whole_epoch")
    kill = {"kill": {"operation": run.change(moment)}}
    story = kill_and_resume(server, run, tmp_path / "runs" / "cut" / "run", [kill])
    assert story.kills == 1
    assert story.equal, story


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", NETS)
def test_random_kills(server, whole, tmp_path, net, mode):
    for number in range(2):
        run = whole(net, mode)
        story = kill_and_resume(server, run, tmp_path / "runs" / str(number) / "run", draw_kills(run, number))
        assert story.equal, story

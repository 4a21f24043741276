"""Ctrl-C and its like, sent to a process of its own."""

import signal

import pytest
from cases import differences
from killing import go_on

from dlrun.run_dir import RunDir


def _send(*signals, **moment):
    return {"kill": {"signals": list(signals), **moment}}


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_one_signal_ends_with_75_and_the_printed_command_goes_on_equally(server, whole, path, name):
    ended = go_on(server, whole(), path, _send(name, epoch=2))
    assert ended.code == 75, ended.text
    assert f"dlrun train --resume {path}" in ended.text
    assert RunDir(path).status() == "interrupted"
    resumed = server.run("train", "--resume", path, cwd=path)
    assert resumed.code == 0, resumed.text
    assert differences(whole().path, path) == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["whole_epoch", "stepwise"])
def test_a_signal_in_the_first_epoch_keeps_its_steps(server, whole, path, mode):
    ended = go_on(server, whole("dropout", mode), path, _send("SIGTERM", event="StepDone"))
    assert ended.code == 75, ended.text
    assert {folder.name[:7] for folder in (path / "checkpoint").glob("[0-9]*")} == {"000000-"}
    assert go_on(server, whole("dropout", mode), path, {}).code == 0
    assert differences(whole("dropout", mode).path, path) == []


@pytest.mark.parametrize(
    ("signals", "moment"),
    [
        (["SIGINT", "SIGINT"], {"epoch": 3}),
        (["SIGTERM"], {"event": "DataReady"}),
        (["SIGINT"], {"event": "RunStarted"}),
    ],
)
@pytest.mark.slow
def test_two_ctrl_c_and_a_signal_before_training_end_at_once_with_130(server, whole, path, signals, moment):
    ended = go_on(server, whole(), path, _send(*signals, **moment))
    assert ended.code == 130, ended.text
    assert "Traceback" not in ended.text
    assert RunDir(path).status() == "interrupted"
    assert go_on(server, whole(), path, {}).code == 0
    assert differences(whole().path, path) == []


@pytest.mark.slow
def test_a_signal_in_the_final_writing_does_not_lose_the_run(server, whole, path):
    ended = go_on(server, whole(), path, _send("SIGTERM", operation=whole().change("open .metrics.json")))
    assert ended.code == 0, ended.text
    assert differences(whole().path, path) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(4))
def test_a_signal_at_any_moment_leaves_a_run_that_goes_on_equally(server, whole, path, moment):
    seconds = (moment + 0.5) / 4 * whole().seconds
    config = whole().config
    number = [signal.SIGINT, signal.SIGTERM][moment % 2]
    ended = server.run_for(seconds, "train", config, "--run-dir", path, cwd=config.parent, number=number)
    assert ended.code in (0, 75, 130, -signal.SIGTERM), ended.text  # the last before the run began
    assert "Traceback" not in ended.text
    if ended.code != 0:
        assert go_on(server, whole(), path, {}).code == 0
    assert differences(whole().path, path) == []

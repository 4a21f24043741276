import io

import pytest
from rich.console import Console

from dlrun.cli._progress import Screen, curve
from dlrun.events import EpochDone, ModelReady, Note, RunStarted, StepDone


def _drawn(screen, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(screen.render())
    return console.file.getvalue()


def test_a_curve_goes_from_the_lowest_to_the_highest_block():
    assert curve([0, 1, 2, 7]) == "▁▂▃█"
    assert curve([1, 1]) == "▁▁"
    assert curve([]) == ""
    assert len(curve(list(range(1000)), width=20)) == 20


@pytest.fixture
def screen(tmp_path):
    made = Screen()
    made(RunStarted("id", tmp_path, "digits"))
    made(Note("a column is ignored"))
    made(ModelReady(100, 100, epochs=4, steps_per_epoch=10, monitor="val_loss", mode="min"))
    return made


def test_the_display_shows_epoch_step_metrics_best_and_curve(screen):
    screen(EpochDone(1, {"loss": 2.0, "val_loss": 1.5}, 0.5, best=True))
    screen(EpochDone(2, {"loss": 1.0, "val_loss": 1.75}, 0.5, best=False))
    screen(StepDone(3, 5, {"loss": 0.9}))
    drawn = _drawn(screen)
    assert "epoch 3/4" in drawn
    assert "step 5/10" in drawn
    assert "a column is ignored" in drawn
    (best,) = [line for line in drawn.splitlines() if "best" in line]
    assert best.split()[:3] == ["1", "2", "1.5"]
    assert "val_loss ▁█" in drawn


def test_the_time_left_follows_from_the_share_of_the_steps(screen):
    assert screen.seconds_left() is None
    screen.began -= 15
    screen(EpochDone(1, {"loss": 1.0}, 1.0, best=False))
    screen(StepDone(2, 5))
    assert screen.seconds_left() == pytest.approx(25, abs=0.5)


def test_only_the_last_epochs_are_listed(screen):
    for epoch in range(1, 4):
        screen(EpochDone(epoch, {"loss": 1.0}, 0.1, best=False))
    screen.model = ModelReady(1, 1, epochs=50, steps_per_epoch=1, monitor="loss", mode="min")
    for epoch in range(4, 41):
        screen(EpochDone(epoch, {"loss": 1.0}, 0.1, best=False))
    assert len(_drawn(screen).splitlines()) < 16


def test_before_the_first_epoch_there_is_no_table(screen):
    assert "seconds" not in _drawn(screen)


LOGS = {"loss": 0.06514, "accuracy": 0.98781, "val_accuracy": 0.96881, "val_loss": 0.10251}


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, "epoch loss accuracy val_loss val_accuracy seconds"),
        (50, "epoch loss val_loss val_accuracy"),
        (40, "epoch val_loss val_accuracy"),
        (30, "epoch val_accuracy"),
    ],
)
def test_narrow_terminals_get_fewer_columns_and_no_broken_line(tmp_path, width, columns):
    screen = Screen()
    screen(ModelReady(100, 100, epochs=200, steps_per_epoch=1000, monitor="val_accuracy", mode="max"))
    for epoch in range(1, 61):
        screen(EpochDone(epoch, {**LOGS, "val_accuracy": 0.9 + epoch / 1000}, 12.5, best=epoch == 60))
    screen(StepDone(61, 999))
    screen.lines.clear()
    lines = [line.rstrip() for line in _drawn(screen, width).splitlines()]
    bar, head, *rows, chart = lines
    assert "epoch 61/200" in bar
    assert ("step 999/1000" in bar) == (width > 30)
    assert "left" in bar
    assert head.split() == columns.split()
    assert len(rows) == 8
    assert rows[-1].split()[-1] == "best"
    assert "0.96" in rows[-1].split()
    assert chart.startswith("val_accuracy ▁")
    assert max(map(len, lines)) <= width

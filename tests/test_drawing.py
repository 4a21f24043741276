import pytest
from matplotlib.figure import Figure

from dlrun.drawing import Axis, draw_bars, draw_confusion, draw_curves, draw_parallel, draw_search

pytestmark = pytest.mark.usefixtures("pictures")
PNG = b"\x89PNG"


def test_each_metric_has_a_picture_of_both_parts(tmp_path):
    history = [
        {"loss": 1 / epoch, "val_loss": 1.5 / epoch, "top k/5": 0.5, "learning_rate": 0.1} for epoch in (1, 2, 3)
    ]
    draw_curves(history, tmp_path / "plots", best_epoch=2, baselines={"loss": 2.0})
    files = sorted((tmp_path / "plots").iterdir())
    assert [file.name for file in files] == ["loss.png", "top_k_5.png"]
    assert all(file.read_bytes().startswith(PNG) for file in files)


@pytest.mark.parametrize("classes", [2, 25])
def test_a_confusion_matrix_is_drawn_for_any_number_of_classes(tmp_path, classes):
    matrix = [[row == column for column in range(classes)] for row in range(classes)]
    matrix[0] = [0] * classes  # a class without rows
    draw_confusion(matrix, [f"class {k}" for k in range(classes)], tmp_path / "plots" / "confusion.png")
    assert (tmp_path / "plots" / "confusion.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_trials_far_off_do_not_flatten_the_others(tmp_path, monkeypatch, mode):
    values = {0: 0.5, 1: 0.51, 2: 0.52, 3: 0.49, 4: 50.0 if mode == "min" else -50.0}
    shown = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, _path, **_: shown.append(figure.axes[0]))
    draw_search(values, {5: 0.6}, tmp_path / "history.png", name="val_loss", mode=mode)
    draw_search({0: 0.5}, {}, tmp_path / "history.png", name="val_loss", mode=mode)
    low, high = shown[0].get_ylim()
    assert low < 0.49
    assert high > 0.52
    assert high - low < 1
    assert "1 trials far off" in shown[0].get_title()
    assert shown[1].get_title() == ""


def test_parallel_axes_take_choices_logarithms_gaps_and_single_values(tmp_path):
    axes = [Axis("model.$x", ("a", None, "b")), Axis("rate", log=True), Axis("only"), Axis("sometimes")]
    lines = [
        ({"model.$x": "a", "rate": 1e-3, "only": 3, "sometimes": 1}, 0.5),
        ({"model.$x": "b", "rate": 1e-1, "only": 3}, 0.7),
    ]
    draw_parallel(axes, lines, tmp_path / "parallel.png", name="val_loss", mode="min")
    draw_bars({"model.$x": 0.75, "rate": 0.25}, tmp_path / "bars.png", label="share of $x")
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in ("parallel.png", "bars.png"))

import pytest

from dlrun.drawing import draw_confusion, draw_curves

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

import numpy as np
import pytest
from PIL import Image

from dlrun.errors import RunDirError
from dlrun.explain._pictures import as_shown, draw_filters, draw_importances, draw_map, draw_plane, written


def test_figures_are_drawn_also_with_names_that_look_like_formulas(tmp_path, pictures):
    random = np.random.default_rng(0)
    draw_map(random.random((20, 30, 3)), random.random((20, 30)), tmp_path / "map.png", "cat $1 of $2")
    draw_plane(random.random((3, 9)), tmp_path / "plane.png", "title", rows=["$a$", "b", "c"], axis="step")
    repeats = random.random((2, 5))
    draw_importances(["$a$_$", "b"], repeats, tmp_path / "bars.png", label="loss", title="title")
    for name in ("map", "plane", "bars"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).std() > 1


def test_a_filter_is_drawn_around_grey_and_a_dead_one_crossed_out(tmp_path):
    patterns = np.random.default_rng(0).random((2, 64, 64, 1))
    draw_filters(patterns, tmp_path / "f.png", "filters", dead=[1])
    grid = np.asarray(Image.open(tmp_path / "f.png").convert("L"))[28:92]
    assert grid[:, 4:68].mean() == pytest.approx(127, abs=2)
    assert (grid[:, 72:136] == 235).mean() > 0.9


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.9), (-1.0, 1.0), (0.0, 255.0)])
def test_pictures_of_any_scale_are_shown_from_0_to_1(low, high):
    shown = as_shown(np.linspace(low, high, 12).reshape(2, 6, 1))
    assert shown.shape == (2, 6, 3)
    assert 0 <= shown.min() < shown.max() <= 1


def test_a_figure_that_cannot_be_drawn_leaves_nothing(tmp_path):
    def draw(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunDirError, match=r"a\.png cannot be written: No space"):
        written(tmp_path / "a.png", draw)
    assert not list(tmp_path.iterdir())

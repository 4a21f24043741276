import numpy as np
import pytest

from dlrun.data_pictures import draw_histograms, draw_images, draw_series, draw_windows

pytestmark = pytest.mark.usefixtures("pictures")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("top", [1.0, 255.0, 0.0, -1.0])
def test_images_of_any_range_are_drawn(tmp_path, channels, top):
    images = np.linspace(0, top, 3 * 8 * 8 * channels).reshape(3, 8, 8, channels)
    assert draw_images(images, ["a", "b", "a very long label indeed"], tmp_path / "grid.png").stat().st_size > 1000


@pytest.mark.parametrize("columns", [1, 5, 30, 1000])
def test_histograms_are_drawn_for_any_number_of_columns(tmp_path, columns):
    assert draw_histograms(np.ones((20, columns)), "features", tmp_path / "h.png").exists()


def test_windows_and_a_long_series_are_drawn(tmp_path):
    assert draw_windows(np.zeros((4, 12, 7)), ["1", "2", "3", ""], tmp_path / "w.png").exists()
    assert draw_windows(np.zeros((1, 12, 2)), ["1"], tmp_path / "n.png", ["wind", "rain"]).exists()
    assert draw_series(np.zeros((50_000, 2)), tmp_path / "s.png").exists()
    spans = {"training": (0, 30), "validation": (31, 50), "test": (51, 99), "other": (0, 1)}
    assert draw_series(np.zeros((100, 2)), tmp_path / "t.png", ["wind", "rain"], spans).exists()

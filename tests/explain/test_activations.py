import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine.layers import all_layers
from dlrun.explain import Options, explain
from dlrun.explain._pictures import draw_channels
from dlrun.explain.activations import constant_channels, layer_outputs
from dlrun.train import train


def model_with_a_dead_channel():
    """Two 1x1 filters on grey pictures: the pixel itself, and a relu that is always 0."""
    inputs = keras.Input((4, 4, 1))
    layer = keras.layers.Conv2D(2, 1, activation="relu", name="pixels")
    inner = keras.Model(inputs, layer(inputs), name="inner")
    outer = keras.Input((4, 4, 1))
    model = keras.Model(outer, keras.layers.Dense(1, name="end")(keras.layers.Flatten()(inner(outer))))
    layer.set_weights([np.array([1.0, 0.0]).reshape(1, 1, 1, 2), np.array([0.0, -1.0])])
    return model


def test_a_layer_in_a_nested_model_gives_what_it_computes():
    model, pictures = model_with_a_dead_channel(), np.random.default_rng(0).random((3, 4, 4, 1)).astype("float32")
    found = layer_outputs(model, pictures, all_layers(model))
    assert list(found) == ["inner/pixels", "flatten", "end"]
    np.testing.assert_allclose(found["inner/pixels"][..., 0], pictures[..., 0])
    np.testing.assert_allclose(found["end"], model.predict(pictures, verbose=0), rtol=1e-5)


def test_constant_channels_are_named_and_drawn_without_dividing_by_zero(tmp_path):
    values = np.zeros((4, 4, 3))
    values[0, 0, 1] = 2.0
    assert constant_channels(values) == [0, 2]
    before = values.copy()
    with np.errstate(all="raise"):
        draw_channels(values, tmp_path / "a.png", "channels")
    assert (values == before).all()  # the book's code changes what it draws
    grid = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    crossed = (grid == 235).all(axis=2)
    assert crossed[:, :72].any()
    assert not crossed[:, 76:136].any()


def test_a_run_gives_a_picture_for_each_sample_and_layer(patches):
    run = patches["nested"]
    found = explain(run, load_config(run.config_file), [], Options(what=["activations"], samples=2))
    assert [one.facts["layer"] for one in found.written] == [
        *["base/edges", "base/max_pooling2d", "base/shapes"],
        "dense",
    ] * 2
    assert found.written[0].facts["shape"] == [22, 22, 8]
    assert all(one.file.is_file() for one in found.written if len(one.facts["shape"]) == 3)


def test_any_layer_of_any_run_may_be_named(digits_run, tmp_path):
    config = load_config(digits_run.config_file)
    run = copied(digits_run, tmp_path)
    (only,) = explain(run, config, [], Options(what=["activations"], layers=["dense"], samples=1)).written
    assert only.facts["shape"] == [16]
    assert "16 units" in only.finding


def test_channels_of_one_pixel_are_shown_as_units(tmp_path, outputs):
    data, layers = {"name": "digits", "image": True}, [{"Conv2D": {"filters": 3, "kernel_size": 8}}, "Flatten"]
    training = {"epochs": 1, "batch_size": 512, "tensorboard": False}
    keys = {"name": "one", "data": data, "model": {"name": "layers", "layers": layers}, "training": training}
    run = train(config_from_mapping(keys), outputs=outputs)
    first = explain(run, load_config(run.config_file), [], Options(what=["activations"], samples=1)).written[0]
    assert first.facts["shape"] == [3]
    assert "constant" not in first.finding


def copied(run, folder):
    return type(run)(shutil.copytree(run.path, folder / "run"))


@pytest.mark.parametrize("pixels", [3, 40])
def test_tiles_are_enlarged_by_whole_numbers(tmp_path, pixels):
    draw_channels(np.random.default_rng(0).random((pixels, pixels, 20)), tmp_path / "a.png", "channels")
    assert Image.open(tmp_path / "a.png").width == 16 * (pixels * round(64 / pixels) + 4) + 4

"""Pretrained bases: pixels as they were trained with, the published files, what learns and what does not."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

from dlrun.applications import APPLICATIONS
from dlrun.errors import ConfigError
from dlrun.models._freezing import unfreeze
from dlrun.models.pretrained import _scaled, pretrained
from dlrun.spec import DataSpec, InputSpec, Task

BINARY = {"y": Task("binary", ("cat", "dog"))}


def pictures(side, channels=3):
    return DataSpec({"image": InputSpec((side, side, channels))}, BINARY)


def keras_module(name):
    """The module of `keras.applications` that a base is from."""
    return {"resnet50": "resnet", "densenet121": "densenet", "efficientnet_b0": "efficientnet"}.get(name, name)


@pytest.mark.parametrize("name", [name for name, known in APPLICATIONS.items() if known.keras_name])
def test_a_base_gets_the_pixels_that_keras_own_preprocessing_gives_it(name):
    pixels = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 3)).astype("float32")
    module = getattr(keras.applications, keras_module(name))
    expected = module.preprocess_input(pixels.copy())
    inputs = keras.Input((4, 4, 3))
    found = keras.Model(inputs, _scaled(inputs, APPLICATIONS[name].scaling))(pixels / 255)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", [name for name, known in APPLICATIONS.items() if known.keras_name])
def test_files_and_hashes_are_those_of_keras(name):
    folder = Path(next(iter(importlib.util.find_spec("keras.src.applications").submodule_search_locations)))
    source = (folder / f"{keras_module(name)}.py").read_text(encoding="utf-8")
    known = APPLICATIONS[name]
    assert f'"{known.file_hash}"' in source if known.file_hash else "file_hash=" not in source
    assert known.folder.removeprefix("https://storage.googleapis.com/").partition("/")[0] in source


def test_the_file_of_a_width_and_size_is_named_as_keras_names_it():
    v2 = APPLICATIONS["mobilenet_v2"]
    assert v2.weights_file(0.35, 224) == "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    assert v2.weights_file(1.0, 150).endswith("_1.0_224_no_top.h5")
    assert APPLICATIONS["mobilenet"].weights_file(0.5, 160) == "mobilenet_5_0_160_tf_no_top.h5"


def test_the_books_net_on_vgg16_has_its_parameters_and_learns_what_the_book_says():
    options = {"preprocessing": "none", "pooling": "flatten", "hidden": [256]}
    model = pretrained(pictures(150), base="vgg16", weights=None, **options)
    assert model.count_params() == 16_812_353
    assert len(model.trainable_weights) == 4
    unfreeze(model, "block5_conv1", key=())
    assert len(model.trainable_weights) == 10
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 9_177_089
    unfreeze(model, "vgg16", key=())
    assert len(model.trainable_weights) == 30


def test_squeezenet_has_the_parameters_of_its_paper():
    base = pretrained(pictures(64), base="squeezenet", weights=None).get_layer("squeezenet")
    assert base.count_params() == 722_496


def test_frozen_weights_do_not_move_batch_statistics_included():
    model = pretrained(pictures(32), base="mobilenet_v2", alpha=0.35, weights=None)
    base = model.get_layer("mobilenet_v2")
    arrays = base.get_weights()
    model = pretrained(pictures(32), base="mobilenet_v2", alpha=0.35, weights=arrays)
    unfreeze(model, "block_16_project", key=())
    model.compile("adam", "binary_crossentropy")
    random = np.random.default_rng(1)
    model.fit(random.random((32, 32, 32, 3)), random.integers(0, 2, 32), verbose=0)
    base = model.get_layer("mobilenet_v2")
    learning = {weight.path for weight in base.trainable_weights}
    moved = [w.path for w, before in zip(base.weights, arrays, strict=True) if not np.array_equal(w.numpy(), before)]
    assert learning
    assert set(moved) <= learning
    assert any("Conv_1/kernel" in path for path in moved)


def test_a_base_from_scratch_keeps_its_own_batch_statistics():
    model = pretrained(pictures(32), base="mobilenet_v2", alpha=0.35, weights=None, trainable=True)
    before = model.get_layer("mobilenet_v2").get_layer("bn_Conv1").moving_mean.numpy()
    model.compile("adam", "binary_crossentropy")
    model.fit(np.random.default_rng(1).random((8, 32, 32, 3)), np.ones(8), verbose=0)
    assert not np.array_equal(before, model.get_layer("mobilenet_v2").get_layer("bn_Conv1").moving_mean.numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "vgg61"}, "there is no base 'vgg61'"),
        ({"base": "vgg16", "alpha": 0.5}, "one width only"),
        ({"base": "vgg16", "trainable": "block6_conv1"}, "no layer 'block6_conv1'"),
        ({"base": "inception_v3"}, "Keras refuses the base inception_v3: Input size must be at least 75"),
        ({"base": "squeezenet", "weights": [np.zeros(3)]}, "other shapes"),
    ],
)
def test_a_base_that_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        pretrained(pictures(48), **{"weights": None, **options})


def test_weights_of_another_base_are_refused(tmp_path):
    file = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(file)
    with pytest.raises(ConfigError, match="do not fit the base squeezenet"):
        pretrained(pictures(48), base="squeezenet", weights=str(file))


def test_numbers_are_no_pictures():
    with pytest.raises(ConfigError, match="wants images"):
        pretrained(DataSpec({"x": InputSpec((4,))}, BINARY), base="squeezenet", weights=None)

import random
from types import SimpleNamespace

import keras
import pytest

from dlrun.engine import resolve
from dlrun.engine.model_files import load_model
from dlrun.engine.saving import loading_trouble
from dlrun.errors import RunDirError


class Lost(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("dlrun_tests")
class Incomplete(keras.layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config()


@keras.saving.register_keras_serializable("dlrun_tests")
class Whole(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable("dlrun_tests")
def doubled(x):
    return 2 * x


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Dense(3, "relu", kernel_regularizer=keras.regularizers.L2(0.1)),
        Whole,
        lambda: keras.layers.Lambda(doubled),
    ],
)
def test_models_that_can_be_loaded_have_no_trouble(layer, tmp_path):
    model = keras.Sequential([keras.Input((4,)), layer()])
    state = random.getstate()
    assert loading_trouble(model) is None
    assert random.getstate() == state
    model.save(tmp_path / "a.keras")
    assert load_model(tmp_path / "a.keras").output_shape == model.output_shape


@pytest.mark.parametrize(
    ("layer", "trouble"),
    [
        (Lost, "Lost is not registered: put @keras.saving.register_keras_serializable"),
        (lambda: Incomplete(2.0), "unexpected keyword argument"),
        (lambda: keras.layers.Lambda(lambda x: x), "Python lambda"),
    ],
)
def test_what_loading_would_refuse_is_told_before(layer, trouble, tmp_path):
    model = keras.Sequential([keras.Input((4,)), layer()])
    assert trouble in loading_trouble(model)
    model.save(tmp_path / "a.keras")
    with pytest.raises(RunDirError, match=r"cannot be loaded by Keras|holds Python code"):
        load_model(tmp_path / "a.keras")


def test_an_experiment_notes_a_model_that_cannot_be_loaded(digits, monkeypatch):
    model, events = keras.Sequential([keras.Input((4,)), Lost()]), []
    monkeypatch.setattr(resolve, "build_model", lambda *_: model)
    data = SimpleNamespace(spec=None)
    assert resolve.Experiment(digits(), None, data, events.append).build_model() is model
    (note,) = events
    assert "evaluate and predict will fail: Lost is not registered" in note.message

import keras
import numpy as np
import pytest

from dlrun.callbacks.activation_logger import layer_outputs
from dlrun.errors import ConfigError
from dlrun.run_dir import RunDir
from dlrun.train import train


def logged(run, epoch):
    with np.load(RunDir(run.path).artefacts / f"activations_at_epoch_{epoch}.npz") as arrays:
        return dict(arrays)


def test_each_layer_is_kept_after_each_epoch(digits, outputs):
    run = train(digits(callbacks=["activation_logger"]), outputs=outputs)
    model = keras.saving.load_model(run.model_file("last"))
    first, last = logged(run, 1), logged(run, 3)
    assert {name: array.shape for name, array in last.items()} == {"dense": (1, 16), "digit": (1, 10)}
    assert not np.allclose(first["digit"], last["digit"])
    np.testing.assert_allclose(model.layers[-1](last["dense"]), last["digit"], rtol=1e-5)


def test_layers_rows_and_epochs_can_be_chosen(digits, outputs):
    chosen = {"name": "activation_logger", "layers": ["digit"], "rows": 5, "every_epochs": 2}
    run = train(digits(callbacks=[chosen]), outputs=outputs)
    assert [path.name for path in run.artefacts.glob("*.npz")] == ["activations_at_epoch_2.npz"]
    assert {name: array.shape for name, array in logged(run, 2).items()} == {"digit": (5, 10)}


def test_a_model_with_several_inputs_gets_each_under_its_name(digits, outputs):
    nodes = {
        "told": {"layers": [{"Embedding": {"input_dim": 100, "output_dim": 2}}, "Flatten"], "from": "text"},
        "asked": {"layers": [{"Embedding": {"input_dim": 100, "output_dim": 3}}, "Flatten"], "from": "question"},
        "both": {"layer": "Concatenate", "from": ["told", "asked"]},
    }
    data = {"name": "question_answers", "rows": 60, "num_words": 100, "text_length": 4, "question_length": 5}
    keys = {"data": data, "model": {"name": "graph", "nodes": nodes}, "callbacks": ["activation_logger"]}
    arrays = logged(train(digits(**keys), outputs=outputs), 3)
    assert {name: array.shape for name, array in arrays.items() if "_1" in name} == {
        "told_1": (1, 4, 2),
        "asked_1": (1, 5, 3),
    }
    np.testing.assert_array_equal(arrays["both"], np.hstack([arrays["told_2"], arrays["asked_2"]]))


def test_a_layer_that_is_not_there_is_told_with_those_that_are(digits, outputs):
    config = digits(callbacks=[{"name": "activation_logger", "layers": ["digits"]}])
    with pytest.raises(ConfigError, match="the model has no layer 'digits'") as caught:
        train(config, outputs=outputs)
    assert "did you mean digit?" in str(caught.value)


def test_a_shared_layer_gives_something_each_time_it_is_used():
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    shared = keras.layers.Dense(3, name="shared")
    model = keras.Model([left, right], keras.layers.Add(name="both")([shared(left), shared(right)]))
    shared(keras.Input((2,)))  # outside of the model
    assert list(layer_outputs(model)) == ["shared", "shared:1", "both"]


def test_a_model_with_a_call_of_its_own_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ConfigError, match="cannot see into the model Own"):
        layer_outputs(Own())

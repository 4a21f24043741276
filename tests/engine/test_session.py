"""What the first import of Keras settles for a run."""

import keras
import pytest

from dlrun.config.loading import load_config
from dlrun.engine.session import set_jit_compile
from dlrun.engine.tensorflow_session import make_deterministic
from dlrun.train import train


def test_on_a_cpu_operations_repeat_exactly_unless_told_otherwise(digits, outputs):
    settled = load_config(train(digits(), outputs=outputs).config_file)
    assert settled.runtime.deterministic is True


@pytest.mark.parametrize("wanted", [True, False])
def test_deterministic_operations_do_not_keep_xla_away(wanted):
    make_deterministic()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    set_jit_compile(model, wanted)
    model.make_train_function()
    assert model.jit_compile is wanted

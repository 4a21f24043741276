"""What the first import of Keras settles for a run."""

import subprocess
import sys

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


@pytest.mark.slow
@pytest.mark.parametrize(("deterministic", "at_once"), [("auto", 1), (True, 1), (False, 2)])
def test_where_a_run_shall_repeat_operations_run_one_after_the_other(deterministic, at_once):
    script = f"""
from dlrun.environment import import_keras
import_keras("tensorflow", "cpu", lean=True)
import tensorflow as tf
from dlrun.config.schema import Runtime
from dlrun.engine.session import start_session
start_session(Runtime(threads=2, device="cpu", deterministic={deterministic!r}), 1)
threads = tf.config.threading
print(threads.get_inter_op_parallelism_threads(), threads.get_intra_op_parallelism_threads())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(at_once), "2"]

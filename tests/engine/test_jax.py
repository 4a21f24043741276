"""The JAX backend, in a process of its own; and its results beside those of TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stated_weights import history_from_stated_weights

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="the extra dlrun[jax] is not installed"),
]


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """What `jax_cases.py` printed, its exit code, and the history it wrote. Most of its time is compiling, which is cut
    by half here: quick instead of thorough, and never the same twice.
    """
    folder = tmp_path_factory.mktemp("jax")
    written = folder / "history.json"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_HISTORY": str(written)}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    cases = Path(__file__).with_name("jax_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--durations=9", "-p", "no:cacheprovider", str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done, written


def test_all_cases_hold_on_jax(on_jax):
    done, _ = on_jax
    assert done.returncode == 0, done.stdout[-4000:]


def test_jax_and_tensorflow_learn_the_same_from_the_same_weights(on_jax, outputs):
    history = json.loads(on_jax[1].read_text())
    for one, other in zip(history, history_from_stated_weights("tensorflow", outputs), strict=True):
        assert one == pytest.approx(other, rel=1e-4)

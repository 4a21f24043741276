"""JAX has gradients of its own; what they give is that of TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from same_on_backends import computed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="the extra dlrun[jax] is not installed"),
]


def test_explanations_on_jax_are_those_on_tensorflow(patches, tmp_path):
    model = patches["nested"].model_file("best")
    script = Path(__file__).with_name("same_on_backends.py")
    command = [sys.executable, str(script), str(model), str(tmp_path / "jax.npz")]
    subprocess.run(command, check=True, env={**os.environ, "KERAS_BACKEND": "jax"})
    on_jax, on_tensorflow = np.load(tmp_path / "jax.npz"), computed(model)
    assert set(on_jax.files) == set(on_tensorflow)
    for name, expected in on_tensorflow.items():
        assert np.abs(expected).max() > 0, name
        np.testing.assert_allclose(on_jax[name], expected, rtol=1e-3, atol=1e-5, err_msg=name)

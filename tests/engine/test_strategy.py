"""Several devices for one run; the cases with two devices run in processes of their own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlrun.errors import ConfigError, DeviceError
from dlrun.rehearse import rehearse
from dlrun.train import train


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_all_cases_hold_on_two_devices(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    variables = {"KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    cases = Path(__file__).with_name("strategy_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--durations=9", "-p", "no:cacheprovider", str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_strategy_with_one_device_is_refused_before_a_run_begins(digits, outputs):
    config = digits(runtime={"strategy": "mirrored", "device": "cpu"})
    with pytest.raises(DeviceError, match=r"mirrored, and TensorFlow sees one CPU device(.|\n)*two or more"):
        train(config, outputs=outputs)
    assert not outputs.exists()


@pytest.mark.slow
def test_a_rehearsal_of_a_shared_run_needs_one_device(digits):
    config = digits(runtime={"strategy": "mirrored", "device": "cpu"})
    assert rehearse(config).epochs == config.training.epochs


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ({"strategy": "mirrored", "backend": "jax"}, r"mirrored is for the backend tensorflow(.|\n)*data_parallel"),
        ({"strategy": "data_parallel"}, r"data_parallel is for the backend jax(.|\n)*strategy: mirrored"),
        ({"strategy": "mirrored", "device": "gpu:1"}, "uses all GPUs, and runtime.device names one"),
        ({"strategy": "mirrored", "execution": "whole_epoch"}, "mirrored is stepwise"),
        ({"strategy": "mirrored", "jit_compile": True}, "may hang"),
    ],
)
def test_what_a_strategy_excludes_is_found_before_keras_is_imported(digits, runtime, message):
    with pytest.raises(ConfigError, match=message):
        digits(runtime=runtime)


def test_a_batch_of_one_row_cannot_be_shared(digits):
    with pytest.raises(ConfigError, match="cannot share a batch of one row"):
        digits(runtime={"strategy": "mirrored"}, training={"batch_size": 1})

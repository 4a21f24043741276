"""Two fresh processes, same config: equal history and weights, bit for bit, for every shipped config.

Each process trains all configs, one after the other; the second takes them in reverse order, so that nothing may depend
on what a process did before. Both run at the same time, so that threads meet in other orders.
"""

import json
import os
import subprocess
import sys

import pytest

from dlrun.analysis.equality import keras_file_arrays, weight_difference
from dlrun.config.finding import find_config, shipped_configs
from dlrun.config.loading import load_config
from dlrun.data_places import find_data
from dlrun.run_dir import RunDir

NO_EPOCHS = ("digits_forest",)  # an estimator: tests/routines/test_sklearn.py verifies one
NEED_FILES = ("adult", "california_housing", "cats_dogs", "jena", "titanic")
LOSSES = {"gan": "adversarial_loss"}  # of routines that log no `loss`
NO_CALLBACKS = ("feature_ascent", "image_optimization")  # tests/routines stop and repeat them
STEPWISE, XLA, NO_XLA = "runtime.execution=stepwise", "runtime.jit_compile=true", "runtime.jit_compile=false"
OTHER_MODES = {
    "digits": (STEPWISE, XLA),
    "imdb_conv1d": (STEPWISE,),
    "imdb_embedding": (STEPWISE, XLA),
    "imdb_lstm": (STEPWISE, XLA, NO_XLA),
    "mnist_convnet": (STEPWISE,),
    "social_posts": (STEPWISE,),
}
SHORTER = {"imdb_lstm": ["data.maxlen=60"], "imdb_conv1d": ["data.maxlen=100"]}  # of these modes, to save time
REAL = ("imdb_conv1d", "imdb_embedding", "imdb_lstm", "imdb_raw", *NEED_FILES)


def _trains_offline(name, overrides):
    config = load_config(find_config(name), overrides)
    return config.routine.name not in NO_CALLBACKS and not find_data(config).missing


OFFLINE = {name: (name, ["data.sample=true"]) for name in sorted({*shipped_configs()} - {*NEED_FILES, *NO_EPOCHS})}
OFFLINE |= {
    f"{name}-{mode.partition('.')[2]}": (name, ["data.sample=true", mode, *SHORTER.get(name, [])])
    for name, modes in OTHER_MODES.items()
    for mode in modes
}
FLAGSHIPS = {name: case for name, case in OFFLINE.items() if not name.startswith("book/")}
BOOK = {name: case for name, case in OFFLINE.items() if name not in FLAGSHIPS and _trains_offline(*case)}
WITH_FILES = {name: (name, []) for name in REAL}

SCRIPT = """
import json, sys
from pathlib import Path
from dlrun.environment import import_keras
from dlrun.config.loading import find_config, load_config
import_keras("tensorflow", "cpu", lean=True)
from dlrun.errors import DlrunError
from dlrun.train import train
for case, name, overrides in json.load(sys.stdin):
    try:
        train(load_config(find_config(name), overrides), run_dir=Path(sys.argv[1], case))
    except DlrunError as error:
        print(case, error, file=sys.stderr)
"""


def two_epochs(name):
    """Two epochs of as many as the config says, since the choice of XLA goes by their number."""
    loss = LOSSES.get(load_config(find_config(name)).routine.name, "loss")
    return f"callbacks=[{{name: EarlyStopping, monitor: {loss}, mode: min, patience: 0, min_delta: 1e9}}]"


def train_twice(cases, folder):
    """The folders in which two processes have trained all cases, and what they wrote to stderr."""
    jobs = [
        [case, name, [two_epochs(name), "training.tensorboard=false", *more]] for case, (name, more) in cases.items()
    ]
    processes = []
    for number, order in enumerate((jobs, jobs[::-1])):
        run_dir, errors = folder / str(number), folder / f"{number}.err"
        environment = {**os.environ, "DLRUN_CACHE": str(folder / f"cache-{number}")}
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, run_dir], stdin=subprocess.PIPE, stderr=stderr, env=environment
            )
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
        processes.append((process, run_dir, errors))
    for process, _, _ in processes:
        process.wait()
    return [(run_dir, errors.read_text()) for _, run_dir, errors in processes]


@pytest.fixture(scope="module")
def flagships(tmp_path_factory):
    return train_twice(FLAGSHIPS, tmp_path_factory.mktemp("flagships"))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return train_twice(BOOK, tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def with_files(tmp_path_factory):
    if not os.environ.get("DLRUN_DATA"):
        pytest.skip("DLRUN_DATA is not set")
    return train_twice(WITH_FILES, tmp_path_factory.mktemp("files"))


def assert_equal(case, processes):
    runs = [RunDir(folder / case) for folder, _ in processes]
    for run, (_, errors) in zip(runs, processes, strict=True):
        assert run.record_file.exists(), errors[-2000:]
        assert run.status() == "completed", run.record()["failure"]
    first, second = runs
    assert len(first.history()) == 2
    assert first.history_file.read_bytes() == second.history_file.read_bytes()
    files = sorted(path.name for path in first.path.glob("last*.keras"))
    assert files
    for name in files:
        weights = [keras_file_arrays(run.path / name) for run in runs]
        assert name != "last.keras" or any(key.startswith("optimizer") for key in weights[0])
        assert weight_difference("weights", *weights) is None


@pytest.mark.slow
@pytest.mark.parametrize("case", FLAGSHIPS)
def test_two_processes_train_the_same_bits(case, flagships):
    assert_equal(case, flagships)


@pytest.mark.long
@pytest.mark.parametrize("case", BOOK)
def test_two_processes_train_the_same_bits_of_the_book(case, book):
    assert_equal(case, book)


@pytest.mark.realdata
@pytest.mark.parametrize("case", WITH_FILES)
def test_two_processes_train_the_same_bits_on_real_files(case, with_files):
    assert_equal(case, with_files)

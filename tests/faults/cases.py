"""Small experiments with everything that a resume may forget, and the comparison of two runs bit by bit."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

NETS: dict[str, list[Any]] = {
    "dropout": [{"Dense": {"units": 16, "activation": "relu"}}, {"Dropout": {"rate": 0.3}}],
    "batch_norm": [{"Dense": {"units": 16}}, "BatchNormalization", {"Activation": {"activation": "relu"}}],
    "augmentation": [
        {"GaussianNoise": {"stddev": 0.1}},
        {"Reshape": {"target_shape": [8, 8, 1]}},
        {"RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1}},
        "Flatten",
        {"Dense": {"units": 16, "activation": "relu"}},
    ],
}
MODES = ("whole_epoch", "stepwise")
EPOCHS = 8  # of 11 steps; EarlyStopping ends some cases earlier
WRITTEN_OFTEN = {"checkpoint_every_seconds": 0, "checkpoint_every_steps": 4}


def write_config(folder: Path, net: str, mode: str, **training: Any) -> Path:
    """A config in a file, of a run that is written after every epoch (see fork_server) and twice within it."""
    config = {
        "name": f"{net}_{mode}",
        "data": "digits",
        "split": {"test": 1000},
        "model": {"name": "layers", "layers": NETS[net]},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "training": {"epochs": EPOCHS, "batch_size": 60, "tensorboard": False, **WRITTEN_OFTEN, **training},
        "callbacks": [
            {"name": "EarlyStopping", "patience": 2, "min_delta": 0.2, "restore_best_weights": True},
            {"name": "ReduceLROnPlateau", "patience": 1, "factor": 0.5, "min_delta": 0.35},
        ],
        "runtime": {"execution": mode, "jit_compile": False},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{net}_{mode}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def differences(one: Path, other: Path) -> list[str]:
    """In what two completed runs differ; empty when history, weights and optimizer are equal bit by bit."""
    found = [name for name in ("history.csv", "config.yaml") if _bytes(one / name) != _bytes(other / name)]
    found += [name for name in ("last.keras", "best.keras") if not _equal(_weights(one / name), _weights(other / name))]
    (state, arrays), (other_state, other_arrays) = _newest(one), _newest(other)
    found += ["checkpoint's arrays"] if not _equal(arrays, other_arrays) else []
    found += [f"checkpoint's {key}" for key in state if key != "seconds" and state[key] != other_state.get(key)]
    keys = ("best_epoch", "best", "last", "epochs", "baselines")
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (one, other)]
    return found + [f"{key} of metrics.json" for key in keys if metrics[0][key] != metrics[1][key]]


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b"missing"


def _weights(file: Path) -> dict[str, np.ndarray]:
    """Every array in a `.keras` file by name, seed generators included."""
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(file) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    assert found, f"{file} holds no weights"
    return found


def _newest(run: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    generation = max(path for path in (run / "checkpoint").glob("[0-9]*"))
    state = json.loads((generation / "state.json").read_text())
    for callback in state["callbacks"]:  # Keras makes it anew in the first epoch it needs it
        callback["state"].pop("monitor_op", None)
    with np.load(generation / "arrays.npz") as arrays:
        return state, dict(arrays)


def _equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )

"""The formats a model is exported to: how each is written, and how it predicts once it is read again."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun.errors import ConfigError
from dlrun.files import first_line

Arrays = dict[str, np.ndarray]  # by the name of the input or output
Runner = Callable[[Arrays], Mapping[str, Any]]
_ONE_ROW = "one row at a time: its loops need TensorFlow's own operations otherwise"


@dataclass(frozen=True)
class Format:
    """One format. `write` makes the file or folder, `read` a function that predicts with it and a remark (or none).

    Predictions may differ by `absolute + relative * |value|` from those of the run's own model. `packages` must be
    there, which come with the `extra`; `usage` says how others load it.
    """

    file: str
    write: Callable[[keras.Model, Path], str | None]
    read: Callable[[Path], Runner]
    usage: str
    absolute: float = 1e-5
    relative: float = 1e-4
    packages: tuple[str, ...] = ()
    extra: str = ""

    def missing(self) -> str | None:
        """What must be installed first, or None."""
        lacking = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"needs {' and '.join(lacking)}: pip install 'dlrun[{self.extra}]'" if lacking else None


def _write_keras(model: keras.Model, path: Path) -> None:
    model.save(path)


def _read_keras(path: Path) -> Runner:
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return lambda inputs: _named(model.predict(_alone(inputs), verbose=0, batch_size=_rows(inputs)))


def _write_saved_model(model: keras.Model, path: Path) -> None:
    model.export(str(path), format="tf_saved_model", verbose=False)


def _read_saved_model(path: Path) -> Runner:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # kept by the function, else its variables go
    return lambda inputs: _named(loaded.serve(_alone(inputs)))


def _write_onnx(model: keras.Model, path: Path) -> None:
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf2onnx about NumPy
        model.export(str(path), format="onnx", verbose=False)


def _read_onnx(path: Path) -> Runner:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given, made = ([one.name for one in found] for found in (session.get_inputs(), session.get_outputs()))

    def run(inputs: Arrays) -> Mapping[str, Any]:
        return dict(zip(made, session.run(None, _by_names(inputs, given)), strict=True))

    return run


def _write_litert(model: keras.Model, path: Path) -> str | None:
    """For any number of rows; where that takes operations of TensorFlow that no plain interpreter has, for one."""
    model.export(str(path), format="litert", verbose=False)
    try:
        _interpreter(path).allocate_tensors()
    except (RuntimeError, ValueError):
        import tensorflow as tf

        one = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in model.inputs]
        signature = [{spec.name: spec for spec in one}] if isinstance(model.input, dict) else one
        model.export(str(path), format="litert", verbose=False, input_signature=signature)
        return _ONE_ROW
    return None


def _read_litert(path: Path) -> Runner:
    runner = _interpreter(path).get_signature_runner()
    details = runner.get_input_details()
    alone = all(tuple(one["shape_signature"])[:1] == (1,) for one in details.values())

    def run(inputs: Arrays) -> Mapping[str, Any]:
        named = _by_names(inputs, list(details))
        if not alone:
            return dict(runner(**named))
        rows = [runner(**{name: array[at : at + 1] for name, array in named.items()}) for at in range(_rows(inputs))]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return run


def _interpreter(path: Path) -> Any:
    """An interpreter of LiteRT, or the one that TensorFlow brings along, which is older."""
    if importlib.util.find_spec("ai_edge_litert"):
        return importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(path))
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tf.lite.Interpreter(str(path))


FORMATS = {
    "keras": Format("model.keras", _write_keras, _read_keras, "keras.saving.load_model(PATH)", 0.0, 0.0),
    "saved_model": Format(
        "saved_model", _write_saved_model, _read_saved_model, "tf.saved_model.load(PATH).serve(inputs), or TF Serving"
    ),
    "onnx": Format(
        "model.onnx",
        _write_onnx,
        _read_onnx,
        "onnxruntime.InferenceSession(PATH).run(None, {name: array})",
        packages=("tf2onnx", "onnx", "onnxruntime"),
        extra="onnx",
    ),
    "litert": Format(
        "model.tflite",
        _write_litert,
        _read_litert,
        "ai_edge_litert.interpreter.Interpreter(PATH).get_signature_runner()(name=array)",
    ),
}


def remove(path: Path) -> None:
    """Remove what a format has left, a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def reason(error: BaseException) -> str:
    """Why a model could not be brought into a format, in one line."""
    return f"{type(error).__name__}: {first_line(error)[:300]}"


def _rows(inputs: Arrays) -> int:
    return len(next(iter(inputs.values())))


def _alone(inputs: Arrays) -> Any:
    """The only input itself, or several by name."""
    return next(iter(inputs.values())) if len(inputs) == 1 else inputs


def _named(outputs: Any) -> Mapping[str, Any]:
    return outputs if isinstance(outputs, Mapping) else {"": outputs}


def _by_names(inputs: Arrays, names: list[str]) -> Arrays:
    """The inputs under the names that a format gave them: the same, but a single one may have any."""
    if len(inputs) == len(names) == 1:
        return {names[0]: next(iter(inputs.values()))}
    found = {name: inputs.get(name.partition(":")[0]) for name in names}
    if lost := [name for name, array in found.items() if array is None]:
        raise ConfigError(f"the format has an input {lost[0]!r}, the data has {', '.join(inputs)}")
    return {name: array for name, array in found.items() if array is not None}

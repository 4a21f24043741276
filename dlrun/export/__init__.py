"""The model of a run for other programs: written, read again, and compared with the run's own predictions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlrun import environment
from dlrun.config.schema import Config, with_section
from dlrun.data._saved import FILE_NAME, load_preprocessing
from dlrun.engine.feeding import Feeder
from dlrun.engine.model_files import load_model
from dlrun.engine.resolve import load_data, open_session
from dlrun.errors import ConfigError, RunDirError, UnknownNameError, did_you_mean, listing
from dlrun.export._describing import describe, page
from dlrun.export._formats import FORMATS, Arrays, reason, remove
from dlrun.files import disk_bytes, make_folder, write_json, write_text
from dlrun.records import FORMAT
from dlrun.run_dir import RunDir

__all__ = ["FORMATS", "Export", "Written", "export"]

ROWS = 64  # of the validation part, that each format is compared on
EXAMPLES = 8
_ABOUT = "export.json"


@dataclass(frozen=True)
class Written:
    """One format: where it lies, and how far its predictions are from the run's at most."""

    format: str
    file: str
    bytes: int
    difference: float
    remark: str | None


@dataclass(frozen=True)
class Export:
    """What was written, and `left_out`: formats that could not be, with the reason. `rows` were compared."""

    folder: Path
    rows: int
    written: list[Written]
    left_out: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"format": FORMAT, **asdict(self)}


def export(
    run: RunDir, config: Config, formats: Sequence[str] = (), *, folder: Path | None = None, weights: str = "best"
) -> Export:
    """Write the model of a run in some formats (all, if none is named) with all that a user of it must know.

    Each is read again and must predict rows of the validation part (of training, without one) as the run's model does,
    on the CPU, where GPUs do not round; what does not is removed again, as is an earlier export. Raises DlrunError.
    """
    wanted = list(dict.fromkeys(formats)) or list(FORMATS)
    for name in wanted:
        if name not in FORMATS:
            hint = did_you_mean(name, FORMATS)
            raise UnknownNameError(f"there is no format {name!r}", expected=listing(FORMATS), hint=hint)
    folder = _claim(folder or run.artefacts / "export")
    config = with_section(config, "runtime", device="cpu")
    with open_session(config), contextlib.redirect_stdout(sys.stderr):  # Keras and converters print as they go
        saved = load_preprocessing(run.preprocess)
        model = load_model(run.model_file(weights))
        data = load_data(config, saved)
        rows = data.splits.get("validation", data.splits["training"])[:ROWS]
        inputs = _inputs(Feeder.of(data), rows, list(data.spec.inputs))
        expected = _by_task(model.predict(_whole(inputs), verbose=0, batch_size=len(rows)), list(data.spec.tasks))
        for one in FORMATS.values():
            remove(folder / one.file)
        written, left_out = [], {}
        for name in wanted:
            found = _write(name, model, folder, inputs, expected)
            if isinstance(found, Written):
                written.append(found)
            else:
                left_out[name] = found
    if written:
        examples: dict[str, Any] = {f"input {name}": array[:EXAMPLES] for name, array in inputs.items()}
        examples |= {f"output {name}": array[:EXAMPLES] for name, array in expected.items()}
        np.savez(folder / "examples.npz", **examples)
        text = (run.preprocess / FILE_NAME).read_text(encoding="utf-8")
        write_text(folder / FILE_NAME, text)
        _describe(run, config, folder, written, describe(config, saved, data.spec.inputs))
    return Export(folder, len(rows), written, left_out)


def _claim(folder: Path) -> Path:
    """The folder, new or of an earlier export. Raises RunDirError."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _ABOUT).exists():
        raise RunDirError(f"{folder} is not empty, and of no earlier export", hint="name another folder with -o")
    return make_folder(folder).absolute()


def _inputs(feeder: Feeder, rows: np.ndarray, names: list[str]) -> Arrays:
    """What the model gets for these rows, by the name of the input."""
    found = feeder.inputs(rows)
    named = found if isinstance(found, Mapping) else {names[0]: found}
    return {name: keras.ops.convert_to_numpy(named[name]) for name in names}


def _whole(inputs: Arrays) -> Any:
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def _by_task(outputs: Any, tasks: list[str]) -> Arrays:
    """Outputs by task, whatever a format calls the only one."""
    found = outputs if isinstance(outputs, Mapping) else {"": outputs}
    if len(found) == 1:
        return {(tasks or [""])[0]: np.asarray(next(iter(found.values())))}
    return {name.partition(":")[0]: np.asarray(values) for name, values in found.items()}


def _write(name: str, model: keras.Model, folder: Path, inputs: Arrays, expected: Arrays) -> Written | str:
    """Write one format and compare it; the reason when it cannot be had."""
    one = FORMATS[name]
    path = folder / one.file
    if missing := one.missing():
        return missing
    try:
        remark = one.write(model, path)
        found = _by_task(one.read(path)(inputs), list(expected))
        difference, close = _compare(found, expected, one.absolute, one.relative)
    except Exception as error:  # boundary: converters on a model of any kind
        remove(path)
        return reason(error)
    if not close:
        remove(path)
        return f"its predictions differ by up to {difference:.2g} from the run's"
    return Written(name, one.file, disk_bytes(path), difference, remark)


def _compare(found: Arrays, expected: Arrays, absolute: float, relative: float) -> tuple[float, bool]:
    """The largest difference of all outputs, and whether each lies within the tolerance."""
    if found.keys() != expected.keys():
        raise ConfigError(f"it gives the outputs {listing(found)}, the run {listing(expected)}")
    difference = max(float(np.abs(found[name] - values).max()) for name, values in expected.items())
    close = all(
        found[name].shape == values.shape and np.allclose(found[name], values, rtol=relative, atol=absolute)
        for name, values in expected.items()
    )
    return difference, close


def _describe(run: RunDir, config: Config, folder: Path, written: list[Written], about: dict[str, Any]) -> None:
    """Write `export.json` and the README beside the models."""
    formats = {
        one.format: {**asdict(one), "absolute": FORMATS[one.format].absolute, "relative": FORMATS[one.format].relative}
        for one in written
    }
    versions = environment.installed_versions()
    values = {"format": FORMAT, "run": run.id, "name": config.name, "versions": versions, "formats": formats, **about}
    write_json(folder / _ABOUT, values)
    write_text(folder / "README.md", page(values))

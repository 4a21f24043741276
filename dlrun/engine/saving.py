"""Models as `.keras` files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras

from dlrun.errors import RunDirError
from dlrun.run_dir import RunDir


def save_models(run: RunDir, which: str, models: dict[str, keras.Model]) -> None:
    """Save models as `<which>.keras` (the name "") or `<which>-<name>.keras`, whole or not at all."""
    for name, model in models.items():
        path = run.model_file(which, name)
        temporary = path.with_name(f".{path.stem}.tmp.keras")
        model.save(temporary)
        temporary.replace(path)


def load_model(path: Path) -> keras.Model:
    """A model from a `.keras` file, in Keras' safe mode. Raises RunDirError."""
    if not path.is_file():
        raise RunDirError(f"there is no model at {path}", hint="the run has no finished epoch, or the file was removed")
    if not zipfile.is_zipfile(path):
        raise RunDirError(f"{path} is damaged, or not a .keras file")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunDirError(f"{path} cannot be loaded by Keras: {first}") from error

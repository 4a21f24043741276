"""Where a config is: a file, or the name of one that ships with dlrun."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import ConfigError, UnknownNameError, did_you_mean, listing
from dlrun.files import expand_home, short

_PACKAGE = Path(__file__).parent.parent
SUFFIXES = (".yaml", ".yml")


def configs_folder() -> Path:
    """The folder of the shipped configs: in the installed package, or in the repository it was installed from."""
    packed = _PACKAGE / "_configs"
    return packed if packed.is_dir() else _PACKAGE.parent / "configs"


def shipped_configs() -> dict[str, Path]:
    """The configs that ship with dlrun by the name one types (`imdb`, `book/imdb_lstm`), sorted."""
    folder = configs_folder()
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))}


def find_config(text: str) -> Path:
    """The file behind what the user typed: an existing file, else a shipped config by name.

    Raises UnknownNameError when there is neither, ConfigError for a folder.
    """
    path = expand_home(text)
    if path.is_file():
        return path
    shipped = shipped_configs()
    if text in shipped:
        return Path(short(shipped[text]))
    if path.is_dir():
        inside = [p.name for p in sorted(path.iterdir()) if p.suffix in SUFFIXES]
        raise ConfigError(
            f"{text} is a folder, not a config file", hint=f"it holds {listing(inside)}" if inside else None
        )
    if path.exists():
        return path  # a pipe or a device: reading it tells
    if path.suffix in SUFFIXES:
        beside = [str(p) for p in path.parent.glob("*") if p.suffix in SUFFIXES] if path.parent.is_dir() else []
        known = beside + [name for name in shipped if name == path.stem]
        raise UnknownNameError(
            f"there is no file {text}", hint=did_you_mean(text, known) or did_you_mean(path.stem, shipped)
        )
    raise UnknownNameError(
        f"there is no config named {text!r}, and no such file",
        expected=f"a YAML file, or one of {listing(shipped)}" if shipped else "a YAML file",
        hint=did_you_mean(text, shipped) or "`dlrun list configs` shows them all",
    )

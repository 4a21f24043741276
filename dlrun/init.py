"""`dlrun init`: a first config for the user's data, or a copy of a shipped one."""

from __future__ import annotations

import lzma
import os
import re
import shlex
import statistics
import tarfile
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from dlrun.config.extending import read_config
from dlrun.config.finding import SUFFIXES, find_config, shipped_configs
from dlrun.config.loading import load_config
from dlrun.config.nodes import to_plain
from dlrun.data._archives import open_tar, open_zip
from dlrun.data._array_names import choose
from dlrun.data._folders import files_below
from dlrun.data._image_files import SUFFIXES as IMAGES
from dlrun.data._image_files import open_source
from dlrun.data._image_layout import arrange, check_classes
from dlrun.data._npz import read_headers
from dlrun.data._sources import DataContext
from dlrun.data._text_trees import MOST_BYTES
from dlrun.drafts import Draft, draft_table, yaml_value
from dlrun.errors import ConfigError, DataError, UnknownNameError
from dlrun.files import short, write_text
from dlrun.registry import DATASETS

_TABLES = (".csv", ".tsv", ".txt", ".data", ".dat")
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2")
_GENERAL = ("train", "training", "data", "dataset", "all", "full", "images", "texts")  # names that say nothing
_PARTS = ("train", "training", "test", "validation", "val", "valid")
_MOST_SIDE = 96


@dataclass(frozen=True)
class Written:
    """A config file that was written, and what was assumed about the data."""

    file: Path
    assumed: list[str]


def write_config(source: str, *, output: Path | None = None, target: str | None = None, force: bool = False) -> Written:
    """Write a config for a data file or folder, or copy the shipped config of that name. Raises DlrunError."""
    shipped = shipped_configs()
    if not Path(source).expanduser().exists() and source in shipped:
        return _copy(source, output or Path(f"{Path(source).name}.yaml"), force)
    path = _locate(source)
    name = _name(path)
    output = output or Path(f"{name}.yaml")
    _refuse_to_overwrite(output, force)
    draft = _draft(path, _shown(path, output), name, target)
    known = DATASETS.builtin_names()
    if draft.data["name"] not in known:
        raise ConfigError(f"{source} needs the dataset {draft.data['name']!r}, which this version does not have")
    write_text(output, _text(draft, source))
    load_config(output, to_train=True)
    return Written(output, draft.assumed)


def _locate(source: str) -> Path:
    if Path(source).suffix in SUFFIXES:
        raise ConfigError(f"{source} is a config, not data", hint=f"dlrun check {source}")
    try:
        return DataContext().locate(source).absolute()
    except DataError as error:
        raise UnknownNameError(
            f"there is no data file, folder or shipped config {source!r}",
            hint="`dlrun list configs` shows the shipped ones; paths are looked for here and in $DLRUN_DATA",
        ) from error


def _refuse_to_overwrite(output: Path, force: bool) -> None:
    if output.exists() and not force:
        raise ConfigError(f"{short(output)} exists already", hint="another name: --output FILE; or replace it: --force")


def _name(path: Path) -> str:
    """A name for the config: that of the file, or of its folder when it says nothing."""
    stem = path.name.partition(".")[0] or path.name
    if stem.lower() in _GENERAL and path.parent.name:
        stem = path.parent.name
    return re.sub(r"[^\w-]", "_", stem).lstrip("-")[:64] or "mine"


def _shown(path: Path, output: Path) -> str:
    """The path as the config names it: relative to the config or to a data folder if it lies below, else absolute."""
    folders = [Path(folder).expanduser() for folder in os.environ.get("DLRUN_DATA", "").split(os.pathsep) if folder]
    for folder in (output.absolute().parent, *(folder.absolute() for folder in folders)):
        if path.is_relative_to(folder) and path != folder:
            return path.relative_to(folder).as_posix()
    return str(path)


def _draft(path: Path, shown: str, name: str, target: str | None) -> Draft:
    """Raises ConfigError when nothing can be made of the file."""
    plain = path.name.lower().removesuffix(".gz")
    if path.is_file() and plain.endswith(_TABLES):
        return draft_table(path, shown, name, target)
    if path.is_file() and plain.endswith(".npz"):
        return _draft_arrays(path, shown, name)
    if path.is_dir() or plain.endswith(_ARCHIVES):
        return _draft_files(path, shown, name)
    raise ConfigError(
        f"{path} is nothing that init can write a config for",
        expected="a CSV file (.csv, .tsv, .txt, .gz), an .npz file, a folder or archive of images or texts, "
        "or a shipped config",
        hint="`dlrun list datasets` shows what dlrun reads",
    )


def _draft_arrays(path: Path, shown: str, name: str) -> Draft:
    """A config for an .npz file, by the shape of its inputs. Raises DataError."""
    headers = read_headers(path)
    inputs, members = choose(path, headers, "auto", "inputs")
    shape, dtype = headers[next(iter(members.values()))]
    if dtype.hasobject:
        raise ConfigError(
            f"{path}: {inputs} holds Python objects, which the dataset npz does not read",
            hint="a published file has a dataset of its own: `dlrun list datasets`, then dlrun init NAME",
        )
    count = sum(headers[member][0][0] for member in members.values())
    target, _ = choose(path, headers, "auto", "target")
    if len(shape) == 4 or (len(shape) == 3 and dtype == "uint8"):
        side = min(shape[1:3])
        deep = "[32, 64, 128]" if side >= 48 else "[32, 64]" if side >= 16 else "[32]"
        model = f"{{name: convnet, filters: {deep}, hidden: [64], dropout: 0.3}}"
    else:
        model = "{name: rnn, cell: gru, units: [32]}" if len(shape) == 3 else "{name: mlp, hidden: [64, 32]}"
    tested = "test" in members
    sections = {} if tested else {"split": "{validation: 0.2, test: 0.2}"}
    sections |= {"model": model, "optimizer": "{name: adam}", "training": "{epochs: 20, batch_size: 64}"}
    sections |= {"callbacks": "[{name: EarlyStopping, patience: 4}]"}
    assumed = [
        f"{count:,} rows of shape {shape[1:]} in {inputs}, targets in {target}; for others: data.inputs, data.target",
        "the test part is that of the file" if tested else "a fifth of the rows is the test part",
    ]
    return Draft(name, {"name": "npz", "path": shown}, sections, assumed)


def _draft_files(path: Path, shown: str, name: str) -> Draft:
    """A config for a folder or archive of images, or of texts."""
    names = _names(path)
    images = [file for file in names if PurePosixPath(file).suffix.lower() in IMAGES]
    texts = [file for file in names if file.lower().endswith(".txt") and "/" in file]
    if not images and not texts:
        found = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in _suffixes(names)) or "nothing"
        raise ConfigError(
            f"{path} holds neither images nor folders of texts", received=found, expected="a folder for each class"
        )
    files = images if len(images) >= len(texts) else texts
    parts = {part.lower() for file in files for part in PurePosixPath(file).parts[:-1]} & set(_PARTS)
    if files is images:
        parts = _image_parts(path, images)
    tested = "test" in parts
    assumed = ["the test part is that of the data" if tested else "a fifth of the rows is the test part"]
    sections = {} if tested else {"split": "{validation: 0.2, test: 0.2}"}
    if files is texts:
        data = {"name": "text_folder", "path": shown, "num_words": 10000}
        sections |= {"model": "{name: mlp, hidden: [16, 16], dropout: 0.3}", "optimizer": "{name: adam}"}
        sections |= {"training": "{epochs: 10, batch_size: 128}", "callbacks": "[{name: EarlyStopping, patience: 2}]"}
        return Draft(name, data, sections, [f"{len(files):,} texts, as the presence of 10,000 words", *assumed])
    side = _side(path, images)
    filters = "[32, 64, 128]" if side >= 48 else "[32, 64]"
    data = {"name": "image_folder", "path": shown, "height": side, "width": side}
    sections |= {"model": f"{{name: convnet, filters: {filters}, hidden: [64], dropout: 0.5}}"}
    sections |= {"optimizer": "{name: adam}", "training": "{epochs: 20, batch_size: 32}"}
    sections |= {"callbacks": "[{name: EarlyStopping, patience: 5}]"}
    return Draft(name, data, sections, [f"{len(files):,} images, stretched to {side} x {side} pixels", *assumed])


def _image_parts(path: Path, images: list[str]) -> set[str]:
    """The parts that the folders of images give. Raises DataError when their classes cannot be told, or used."""
    if path.is_file() and path.suffix.lower() != ".zip":
        raise ConfigError(f"{path}: images are read from a folder or a .zip", hint="unpack it, then init the folder")
    pictures, without = arrange(images, "auto", str(path))
    check_classes(pictures, without, str(path))
    return {picture.part for picture in pictures}


def _names(path: Path) -> list[str]:
    """The files below a folder or in an archive, with `/`. Raises ConfigError."""
    if path.is_dir():
        return sorted(file.relative_to(path).as_posix() for file in files_below(path))
    try:
        if zipfile.is_zipfile(path):
            with open_zip(path) as archive:
                return [name for name in archive.namelist() if not name.endswith("/")]
        with open_tar(path, MOST_BYTES) as tar:
            return [member.name for member in tar if member.isfile()]
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        tarfile.TarError,
        RecursionError,
    ) as error:
        raise ConfigError(f"{path} cannot be read as an archive: {error}") from error


def _suffixes(names: list[str]) -> list[tuple[str, int]]:
    return Counter(PurePosixPath(name).suffix.lower() for name in names).most_common(4)


def _side(path: Path, images: list[str]) -> int:
    """The side of the square that images become: their usual smaller side, from 16 to 96."""
    import io

    from PIL import Image

    source, sides = open_source(path), []
    for name in images[:: max(1, len(images) // 20)]:
        try:
            with Image.open(io.BytesIO(source.read(name))) as image:
                sides.append(min(image.size))
        except (OSError, KeyError, ValueError):
            continue
    return max(16, min(_MOST_SIDE, int(statistics.median(sides)))) if sides else _MOST_SIDE


def _text(draft: Draft, source: str) -> str:
    command = shlex.join(["dlrun", "init", source])
    lines = [f"# Written by `{command}`. Assumed:", *(f"# - {text}" for text in draft.assumed)]
    lines += [f"name: {yaml_value(draft.name)}", f"data: {yaml_value(draft.data)}"]
    lines += [f"{section}: {text}" for section, text in draft.sections.items()]
    return "\n".join(lines) + "\n"


def _copy(name: str, output: Path, force: bool) -> Written:
    """A shipped config as a file of the user: without the header for editors, and with what it extends in it."""
    _refuse_to_overwrite(output, force)
    file = find_config(name)
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("# yaml-language-server")]
    if any(line.startswith("extends:") for line in kept):
        values: dict[str, Any] = {"name": PurePosixPath(name).name, **to_plain(read_config(file))}
        comments = [line for line in kept if line.startswith("#")]
        kept = [*comments, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120).rstrip()]
    write_text(output, "\n".join(kept) + "\n")
    load_config(output, to_train=True)
    return Written(output, [f"a copy of the shipped config {name}"])

"""A resolved config as YAML: flat, absolute, in the order of the schema, read back as the same values by any loader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.config.yaml_reader import FIRST_LINE, LAST_LINE, scalar_kind

if TYPE_CHECKING:
    from dlrun.config.schema import Config  # without it: pydantic takes a quarter of a second

WIDTH = 110
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
# YAML 1.1 reads these as booleans or null, in any case
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ""}
_PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*(?: [\w./@+()-]+)*\Z")


def plain_config(config: Config) -> dict[str, Any]:
    """The config as YAML values: paths as text, no empty sections."""
    values = _plain(config.model_dump())
    optional = [(values, name) for name in ("model", "needs", "kfold", "sweep")]
    for section, key in (*optional, (values["split"], "fold")):
        if section[key] is None:  # a null would read as an empty section
            del section[key]
    values["expect"] = [{k: v for k, v in entry.items() if v is not None} for entry in values["expect"]]
    if "sweep" in values:
        for one in values["sweep"]["space"].values():
            for key in [key for key, value in one.items() if value is None]:
                del one[key]
    for key in ("outputs", "expect", "small", "shortened"):
        if not values[key]:
            del values[key]
    return values  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def dump_config(config: Config) -> str:
    """The config as YAML text that `load_config` reads back as an equal config; its last line shows it whole."""
    return "".join(f"{line}\n" for line in [FIRST_LINE, *dump_lines(plain_config(config)), LAST_LINE])


def dump_lines(values: dict[Any, Any], indent: int = 0) -> list[str]:
    """A mapping as YAML lines, short lists and mappings in one line."""
    lines: list[str] = []
    for key, value in values.items():
        lines += _entry(" " * indent + scalar(key) + ":", value, indent)
    return lines


def _entry(head: str, value: Any, indent: int) -> list[str]:
    """Lines for what follows `head`, which is `key:` or `-`."""
    if head.endswith("-") and isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        return _entry(f"{head} {scalar(name)}:", inner, indent + 2)
    if not isinstance(value, dict | list) or not value or len(head) + len(flow(value)) < WIDTH:
        return [f"{head} {flow(value)}"]
    if isinstance(value, dict):
        if head.endswith("-"):
            first, *rest = dump_lines(value, indent + 2)
            return [f"{head} {first.lstrip()}", *rest]
        return [head, *dump_lines(value, indent + 2)]
    lines = [head]
    for item in value:
        lines += _entry(" " * (indent + 2) + "-", item, indent + 2)
    return lines


def flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar that YAML 1.1 and 1.2 loaders read back as the same value and type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, int):
        return str(value)
    text = str(value)
    safe = _PLAIN.match(text) and text.lower() not in _RESERVED and scalar_kind(text) == "str"
    return text if safe else '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _float(value: float) -> str:
    """With a point and a signed exponent, as YAML 1.1 wants them: `1.0e-07`."""
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    mantissa, _, exponent = text.partition("e")
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{exponent}" if exponent else mantissa

"""Ways to break a config: each takes the text of a good one and a random generator."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import yaml

from dlrun.config.dumping import dump_lines
from dlrun.config.nodes import dotted, walk
from dlrun.config.yaml_reader import parse_yaml
from dlrun.errors import Key

NAMED = ("name", "activation", "metric", "cell", "encoding", "kind", "padding", "loss", "data", "model", "monitor")
FREE = ("name", "description", "source", "extends")  # any text is right there
NUMBERS = ("-1", "-7.5", ".nan", "nan", "1e400", "-.inf", "-1e400", "0x", "12345678901234567890", "٣")
OVERRIDES = ("{0}", "{0}..x=1", "{0}[=1", "{0}[99]=1", "{0}[+]=1", "{0}.x.y=1", "~{0}x", "=1", "~{0}=1", "x{0}=1")
ARGUMENTS = ("unit", "lr", "epoch", "self", "spec", "kwargs", "x y", "0", "__class__", "*a", "café")
MARKS = ("[", "{", "]", "}", '"', "'", "*", "!", "@", "`", "|", "!!python/name:", "? ", ": ", "- ")
TARGETS = ("nowhere.yaml", "_broken.yaml", 7, {}, [3], "", ".", "\0", "a" * 5000, ["imdb.yaml", "nowhere"], None)


class Broken(NamedTuple):
    """A config that ought to be wrong, and the overrides it is checked with."""

    text: bytes
    overrides: tuple[str, ...] = ()


class Spot(NamedTuple):
    """A key or a value of a text: its path, its place `start:end`, and the value."""

    key: Key
    start: int
    end: int
    value: object

    @property
    def last(self) -> str:
        return str(self.key[-1])


def _spots(text: str, *, keys: bool = False) -> list[Spot]:
    """Where the keys, or the values that are no sections and no lists, stand."""
    lines = text.splitlines(keepends=True)
    found = []
    for key, node in walk(parse_yaml(text, "")):
        place = node.key_place if keys else node.place
        if key and place and (keys or not (node.is_mapping or node.is_list)):
            start = sum(map(len, lines[: place.line - 1])) + place.column - 1
            found.append(Spot(key, start, start + place.length, node.content))
    return found


def _content(text: str) -> int:
    """Where the comments at the top end."""
    return next(spot.start for spot in _spots(text, keys=True))


def _put(text: str, start: int, end: int, new: str) -> Broken:
    return Broken((text[:start] + new + text[end:]).encode())


def _misspelt(word: str, random: Random) -> str:
    at = random.randrange(len(word))
    forms = [word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[:at] + "q" + word[at + 1 :]]
    return random.choice([form for form in forms if form not in ("", word)])


def _dumped(values: object) -> Broken:
    return Broken(("\n".join(dump_lines(values)) + "\n").encode())


def misspelt_key(text: str, random: Random) -> Broken:
    spot = random.choice(_spots(text, keys=True))
    return _put(text, spot.start, spot.end, _misspelt(spot.last, random))


def wrong_type(text: str, random: Random) -> Broken:
    spot = random.choice([spot for spot in _spots(text) if spot.key != ("description",)])
    others = {bool: ["maybe", "3", "[true]", "{a: 1}"], str: ["[7]", "{a: 1}", "true", "[[]]", "7"]}
    number = ["many words", "[1, 2]", "{a: 1}", "true", "[]", "'5'"]
    return _put(text, spot.start, spot.end, random.choice(others.get(type(spot.value), number)))


def deleted_key(text: str, random: Random) -> Broken:
    """Without a key that must be there."""
    values = yaml.safe_load(text)
    if "extends" in values:
        del values["extends"]
        return _dumped(values)
    sections = [values[name] for name in ("data", "model") if isinstance(values.get(name), dict)]
    needed = [(values, name) for name in ("data", "model") if name in values]
    owner, key = random.choice([*needed, *((section, "name") for section in sections)])
    del owner[key]
    return _dumped(values)


def cut_text(text: str, random: Random) -> Broken:
    """Ends inside a key, or inside brackets."""
    inside = [at for at in range(_content(text), len(text)) if text.count("{", 0, at) > text.count("}", 0, at)]
    keys = [at for spot in _spots(text, keys=True) for at in range(spot.start + 1, spot.end)]
    return Broken(text[: random.choice(random.choice([inside or keys, keys]))].encode())


def swapped_nesting(text: str, random: Random) -> Broken:
    """A key of one section in another one, or at the top; or a section below another one."""
    values = yaml.safe_load(text)
    homes = [name for name, inside in values.items() if isinstance(inside, dict) and inside]
    if not homes:
        return misspelt_key(text, random)
    home = random.choice(homes)
    others = [name for name in values if name != home]
    if others and random.random() < 0.3:
        other = random.choice(others)
        values[home][other] = values.pop(other)
        return _dumped(values)
    key = random.choice(list(values[home]))
    value = values[home].pop(key)
    target = values[random.choice(homes)] if random.random() < 0.5 else values
    (values if target is values[home] else target)[key] = value
    return _dumped({name: inside for name, inside in values.items() if inside != {}})


def duplicated_key(text: str, random: Random) -> Broken:
    spot = random.choice(_spots(text, keys=True))
    return _with_key(text, spot, spot.last)


def unknown_argument(text: str, random: Random) -> Broken:
    spots = _spots(text, keys=True)
    return _with_key(text, random.choice([s for s in spots if len(s.key) > 1] or spots), random.choice(ARGUMENTS))


def _with_key(text: str, spot: Spot, name: str) -> Broken:
    """Another key before the one at `spot`."""
    before = text[: spot.start].rpartition("\n")[2]
    in_braces = before.strip(" -")
    return _put(text, spot.start, spot.start, f"{name}: 1, " if in_braces else f"{name}: 1\n{' ' * len(before)}")


def random_bytes(text: str, random: Random) -> Broken:
    raw = text.encode()
    at = random.randrange(len(raw))
    pool = random.choice([range(0x80, 0x100), [*range(9), *range(0x0E, 0x20), 0x7F]])
    return Broken(raw[:at] + bytes(random.choices(pool, k=random.randint(1, 8))) + raw[at:])


def tabs(text: str, random: Random) -> Broken:
    lines = text.splitlines(keepends=True)
    number = random.choice([n for n, line in enumerate(lines) if line.strip() and line[0] != "#"])
    lines[number] = "\t" + lines[number].lstrip()
    return Broken("".join(lines).encode())


def _number(text: str, random: Random) -> tuple[Spot, str]:
    spots = _spots(text)
    numbers = [s for s in spots if isinstance(s.value, int | float) and not isinstance(s.value, bool)]
    return random.choice(numbers or spots), random.choice(NUMBERS)


def bad_number(text: str, random: Random) -> Broken:
    spot, number = _number(text, random)
    return _put(text, spot.start, spot.end, number)


def overridden_number(text: str, random: Random) -> Broken:
    spot, number = _number(text, random)
    return Broken(text.encode(), (f"{dotted(spot.key)}={number}",))


def bad_override(text: str, random: Random) -> Broken:
    key = dotted(random.choice(_spots(text, keys=True)).key)
    return Broken(text.encode(), (random.choice(OVERRIDES).format(key),))


def unknown_name(text: str, random: Random) -> Broken:
    spots = [s for s in _spots(text) if s.last in NAMED and s.key != ("name",) and isinstance(s.value, str)]
    if not spots:
        return misspelt_key(text, random)
    spot = random.choice(spots)
    return _put(text, spot.start, spot.end, _misspelt(str(spot.value), random))


def lost_character(text: str, random: Random) -> Broken:
    at = random.choice([n for n in range(_content(text), len(text)) if text[n] in "[]{}:\"'"])
    return _put(text, at, at + 1, "")


def added_character(text: str, random: Random) -> Broken:
    spot = random.choice([spot for spot in _spots(text) if spot.last not in FREE] or _spots(text))
    return _put(text, spot.start, spot.start, random.choice(MARKS))


def broken_extends(text: str, random: Random) -> Broken:
    values = yaml.safe_load(text)
    return _dumped({**values, "extends": random.choice(TARGETS)})


MUTATIONS = (
    misspelt_key, wrong_type, deleted_key, cut_text, swapped_nesting, duplicated_key, random_bytes, tabs, bad_number,
    overridden_number, bad_override, unknown_name, unknown_argument, lost_character, added_character, broken_extends,
)  # fmt: skip

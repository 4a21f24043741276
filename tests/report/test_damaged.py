"""Whatever lies in the files of a run, its report is written, and nothing in it can act."""

import copy
import json
import math
import random

import pytest
from pages import Page

from dlrun.report import write_report

EVIL = '<script>alert(1)</script>" onload="x'
VALUES = [
    None,
    True,
    -1,
    3.5,
    1e308,
    math.nan,
    EVIL,
    "\x1b[31m",
    [],
    {},
    [1, 2],
    ["a", {}],
    {EVIL: {"x": [1]}},
    10**400,
]


def places(value, path=()):
    """The path of every value in a JSON document; of long lists the first three."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def put(document, path, value):
    """The document with another value in one place."""
    if not path:
        return value
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "evaluations/001-test-best.json"])
def test_any_value_in_any_place_of_its_files_leaves_a_page(run, evaluated, name):
    evaluated(run)
    chance = random.Random(name)
    whole = json.loads((run.path / name).read_text())
    for _ in range(15):
        path, value = chance.choice(list(places(whole))), chance.choice(VALUES)
        (run.path / name).write_text(json.dumps(put(whole, path, value)))
        text = write_report([str(run.path)], run.path).read_text()
        found = Page(text)
        assert found.tags.count("script") == 1 + found.values("class", "figure").count("chart"), (path, value)
        assert not found.values("onload"), (path, value)
        assert "\x1b" not in text, (path, value)


@pytest.mark.parametrize("name", ["config.yaml", "history.csv", "timing.csv"])
def test_a_file_cut_off_or_with_foreign_bytes_leaves_a_page(run, name):
    chance = random.Random(name)
    whole = (run.path / name).read_bytes()
    for _ in range(10):
        at = chance.randrange(len(whole))
        (run.path / name).write_bytes(whole[:at] + chance.choice([b"", b"\x00", b"\xff", b",,,", b"{"]))
        assert Page(write_report([str(run.path)], run.path).read_text()).values("id")

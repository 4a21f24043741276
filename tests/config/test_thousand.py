"""A thousand broken configs: each is refused with exit code 2, a place for every mistake, and no traceback."""

import re
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from mutations import MUTATIONS

from dlrun.cli import main
from dlrun.config.finding import configs_folder

QUICK, ALL = 160, 1000
PLACE = re.compile(r"error: (.+?):(\d+):(\d+): \S")
LINE_END = re.compile(rb"\r\n|\r|\n")


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """A copy of the shipped configs, beside which the broken ones are written."""
    return Path(shutil.copytree(configs_folder(), tmp_path_factory.mktemp("thousand") / "configs"))


def lengths(source, overrides):
    """The lines of a file, or of the overrides, by their lengths."""
    if source == "-s":
        return [max(map(len, overrides))]
    return [len(line) for line in LINE_END.split(Path(source).read_bytes())]


def wrong_with(message, overrides):
    """What is wrong with a message: a mistake without a place, or a place that is not there."""
    mistakes = [line for line in message.splitlines() if line.startswith("error: ")]
    for line in mistakes:
        found = PLACE.match(line)
        if not found:
            return f"no place: {line}"
        known = lengths(found[1], overrides)
        if int(found[2]) > len(known) or int(found[3]) > known[int(found[2]) - 1] + 1:
            return f"no such place: {line}"
    return "" if mistakes else "no message"


def broken_one(number, configs):
    """The folder, the mutation and what it made of one of the shipped configs; the same for the same number."""
    random = Random(number)
    good = random.choice(sorted(configs.rglob("[!_]*.yaml")))
    mutation = MUTATIONS[number % len(MUTATIONS)]
    return good, mutation.__name__, mutation(good.read_text(encoding="utf-8"), random)


@pytest.mark.parametrize(
    "numbers", [range(QUICK), pytest.param(range(QUICK, ALL), marks=pytest.mark.slow)], ids=["quick", "all"]
)
def test_a_broken_config_is_refused_with_the_place_of_each_mistake(numbers, configs, monkeypatch, capsys):
    outcomes = Counter()
    for number in numbers:
        good, mutation, broken = broken_one(number, configs)
        monkeypatch.chdir(good.parent)
        Path("_broken.yaml").write_bytes(broken.text)
        overrides = [part for text in broken.overrides for part in ("-s", text)]
        code, message = main(["check", "_broken.yaml", *overrides]), capsys.readouterr().err
        told = f"number {number}, {mutation} of {good.name} {overrides}\n{message}"
        assert code in (0, 2), told
        assert code == 0 or not wrong_with(message, broken.overrides), told + wrong_with(message, broken.overrides)
        outcomes[code] += 1
    assert outcomes[0] < 0.1 * len(numbers)  # a mutation may happen to be right

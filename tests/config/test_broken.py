"""Every broken config in `broken/` and the exact message a user reads.

`UPDATE_EXPECTED=1 pytest tests/config/test_broken.py` writes the messages anew; read the difference before
you commit it. Lists that grow with the registries or with Keras are written as `{datasets}`.
"""

import os
from pathlib import Path

import pytest

from dlrun import keras_names
from dlrun.config.loading import load_config
from dlrun.config.training_schema import Training
from dlrun.errors import ConfigError, listing
from dlrun.registry import DATASETS, MODELS, TRANSFORMS

BROKEN = Path(__file__).parent / "broken"
NAMES = sorted(path.stem for path in BROKEN.glob("*.yaml"))


def growing_lists():
    """The placeholder of each list that is not this folder's business, longest text first."""
    lists = {
        "{datasets}": listing(DATASETS.builtin_names()),
        "{models}": listing(MODELS.builtin_names()),
        "{training}": listing(Training.model_fields, 24),
        "a mapping with {training}": f"a mapping with {listing(Training.model_fields)}",
        "{transforms}": listing(TRANSFORMS.builtin_names()),
        "{digits}": listing(DATASETS.describe("digits").signature.keyword_parameters(), 16),
    }
    for kind in keras_names.KINDS:
        lists[f"{{{kind}}}"] = listing(keras_names.preferred_names(kind))
    for kind, name in (("optimizers", "rmsprop"), ("optimizers", "sgd"), ("optimizers", "adam"), ("layers", "Dense")):
        names = [
            p.name for p in keras_names.signature(kind, name).parameters if (kind, p.name) != ("optimizers", "name")
        ]
        lists[f"{{{name}}}"] = listing(names, 16)
    return sorted(lists.items(), key=lambda pair: -len(pair[1]))


def message_of(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.exit_code == 2
    text = str(caught.value).replace(str(BROKEN), "{here}") + "\n"
    for placeholder, names in growing_lists():
        text = text.replace(f"  expected  {names}\n", f"  expected  {placeholder}\n")
    return text


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_config_is_told_in_exactly_these_words(name, monkeypatch):
    monkeypatch.chdir(BROKEN)
    expected = BROKEN / f"{name}.txt"
    message = message_of(Path(f"{name}.yaml"))
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(message, encoding="utf-8")
    assert message == expected.read_text(encoding="utf-8")


def test_at_least_forty_configs_are_broken_in_different_ways():
    messages = {(BROKEN / f"{name}.txt").read_text(encoding="utf-8") for name in NAMES}
    assert len(messages) == len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_no_message_speaks_of_pydantic_or_python(name):
    text = (BROKEN / f"{name}.txt").read_text(encoding="utf-8")
    for word in ("pydantic", "Input should", "NoneType", "<class", "Traceback", "constructor"):
        assert word not in text

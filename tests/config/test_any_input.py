"""Whatever a user writes, the answer is a config or a ConfigError."""

import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlrun.config.loading import config_from_mapping, dump_config
from dlrun.config.nodes import to_plain
from dlrun.config.overrides import parse_override
from dlrun.config.schema import Config
from dlrun.config.yaml_reader import parse_yaml
from dlrun.errors import ConfigError

WORDS = st.sampled_from(
    [
        *(
            "digits",
            "mlp",
            "layers",
            "adam",
            "EarlyStopping",
            "Dense",
            "accuracy",
            "val_loss",
            "l2",
            "relu",
            "name",
            "units",
        )
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 10**6) | st.floats() | WORDS | st.text(max_size=5)
INSIDE = [
    "name",
    "layers",
    "hidden",
    "epochs",
    "patience",
    "kind",
    "validation",
    "fold",
    "index",
    "metric",
    "Dense",
    "units",
]
KEYS = st.sampled_from([*INSIDE, "learning_rate", "kernel_regularizer", "class_weight", "L2", "l2", 0])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
TOP = st.sampled_from([*Config.model_fields, "extends", "nonsense"])


def refusal(action, *arguments):
    """The message of the ConfigError that an action raises, or None."""
    try:
        action(*arguments)
    except ConfigError as error:
        return str(error)
    return None


def load_and_repeat(values):
    text = dump_config(config_from_mapping(values))
    assert dump_config(config_from_mapping(to_plain(parse_yaml(text, "a.yaml")))) == text


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TOP, VALUES, max_size=5))
@example({"model": {"name": "layers", "layers": None}})
@example({"data": {"name": ["digits"]}, "callbacks": {"name": "EarlyStopping"}, "metrics": {}, "plugins": [None, {}]})
def test_any_mapping_is_a_config_or_a_config_error(values):
    assert refusal(load_and_repeat, {"data": "digits", **values}) != ""


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_yaml_or_a_config_error(text):
    assert refusal(parse_yaml, text, "a.yaml") != ""


@given(st.text(alphabet="ab.[]=~+-01{}: ,'", max_size=20))
def test_any_override_is_one_or_a_config_error(text):
    assert refusal(parse_override, text) != ""

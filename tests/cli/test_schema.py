import json
from pathlib import Path

import pytest

from dlrun.cli import main
from dlrun.config.finding import shipped_configs
from dlrun.config.json_schema import config_json_schema, keras_version

STORED = Path(__file__).parents[2] / "configs" / "dlrun.schema.json"


def test_the_schema_beside_the_configs_is_current():
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    if not stored["$comment"].endswith(f"Keras {keras_version()}."):
        pytest.skip("written with another Keras")
    assert stored == config_json_schema(), "run: dlrun schema > configs/dlrun.schema.json"


def test_the_verb_prints_the_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == config_json_schema()


def test_shipped_configs_satisfy_it():
    jsonschema = pytest.importorskip("jsonschema")
    from dlrun.config.nodes import to_plain
    from dlrun.config.yaml_reader import read_yaml

    validator = jsonschema.Draft202012Validator(config_json_schema())
    for name, path in shipped_configs().items():
        errors = [error.message for error in validator.iter_errors(to_plain(read_yaml(path)))]
        assert not errors, f"{name}: {errors}"


@pytest.mark.parametrize(
    ("config", "legal"),
    [
        ({"data": "digits", "model": "mlp", "monitor": "val_loss", "callbacks": ["EarlyStopping"]}, True),
        ({"extends": "base.yaml"}, True),
        ({"data": {"name": "my_own", "anything": 3}, "plugins": "mine.py"}, True),
        ({"data": "digits", "model": {"name": "mlp", "hidden": "x"}}, False),
        ({"data": "digits", "trainig": {}}, False),
        ({"seed": 1}, False),
        ({"data": "digits", "loss": {"Huber": {"delta": 2}}, "metrics": ["mae", {"AUC": {}}]}, True),
    ],
)
def test_the_schema_allows_short_forms_and_plugins_but_no_typos(config, legal):
    jsonschema = pytest.importorskip("jsonschema")
    assert jsonschema.Draft202012Validator(config_json_schema()).is_valid(config) is legal


def test_shipped_configs_tell_editors_where_the_schema_is():
    for name, path in shipped_configs().items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        steps = "../" * name.count("/")
        assert first == f"# yaml-language-server: $schema={steps}dlrun.schema.json", name

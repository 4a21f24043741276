import pytest
from pydantic.fields import FieldInfo

from dlrun.config import identity as identity_module
from dlrun.config.identity import first_identities, identity, keys_of
from dlrun.config.loading import config_from_mapping
from dlrun.config.schema import Config, Training
from dlrun.errors import ConfigError

BASE = {"data": "digits", "model": "mlp"}
PLUGIN = 'import dlrun\n\n\n@dlrun.model("mine")\ndef mine(spec, *, units: int = 1):\n    return None\n'


def of(study=False, **keys):
    return identity(config_from_mapping({**BASE, **keys}), study=study)


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "other", "description": "the same again"},
        {"expect": {"metric": "loss", "below": 1}, "small": {"training.epochs": 1}},
        {"training": {"tensorboard": False, "checkpoint_every_seconds": 60}},
        {"callbacks": [{"name": "CSVLogger", "filename": "log.csv"}]},
        {"data": {"name": "digits", "dir": "/elsewhere"}},
        {"kfold": {"n_splits": 3}},
        {"needs": {"gpu_memory": "6GB", "gpus": 2}},
        {"optimizer": {"name": "rmsprop", "learning_rate": 0.001}},
    ],
)
def test_what_does_not_change_a_result_does_not_make_another_experiment(keys):
    assert of(**keys) == of()


@pytest.mark.parametrize(
    "keys",
    [
        {"seed": 2},
        {"training": {"epochs": 11}},
        {"loss": "categorical_crossentropy"},
        {"data": {"name": "digits", "sample": True}},
        {"callbacks": ["TerminateOnNaN"]},
        {"split": {"validation": 0.3}},
        {"runtime": {"threads": 1}},
    ],
)
def test_what_may_change_a_result_makes_another_experiment(keys):
    assert of(**keys) != of()


def test_a_study_is_told_by_its_folds():
    assert of(study=True, kfold={"n_splits": 3}) != of(study=True, kfold={"n_splits": 4})


def test_a_file_counts_by_its_name_and_a_plugin_by_its_content(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(PLUGIN)
    first, second = ({"plugins": [str(tmp_path / folder / "mine.py")]} for folder in ("a", "b"))
    assert of(**first) == of(**second) != of()
    paths = [{"name": "csv", "path": f"{folder}/t.csv", "target": "y"} for folder in ("a", "b")]
    assert of(data=paths[0]) == of(data=paths[1]) != of(data={**paths[0], "path": "a/other.csv"})
    loaded = config_from_mapping({**BASE, **second})
    (tmp_path / "b" / "mine.py").write_text(PLUGIN.replace("1", "2"))
    assert of(**first) != identity(loaded)
    (tmp_path / "b" / "mine.py").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        identity(loaded)


@pytest.mark.parametrize(
    "keys",
    [
        {"model": {"name": "mlp", "hidden": [64, 64], "dropout": 0.0}},
        {"optimizer": {"name": "rmsprop", "rho": 0.9, "weight_decay": None}},
        {"training": {"epochs": 10, "shuffle": True, "class_weight": None}, "runtime": {"threads": None}},
        {"split": {"kind": "auto", "validation": 0.2}, "monitor": {"mode": "auto"}, "callbacks": [], "routine": "fit"},
    ],
)
def test_a_default_that_is_written_out_changes_nothing(keys):
    assert of(**keys) == of()


def test_a_new_key_with_a_default_leaves_an_identity_as_it_is(monkeypatch):
    config = config_from_mapping({**BASE, "optimizer": "adam"})
    known = keys_of(identity_module.plain_config(config))
    before, (first,) = identity(config), first_identities(config, known)
    dumped = identity_module.plain_config

    def with_new_keys(config, patience=3):
        values = dumped(config)
        values["training"]["patience_of_saints"] = patience
        return {**values, "new_section": {"key": 1}}

    new = {Training: {"patience_of_saints": 3}, Config: {"new_section": {"key": 1}}}
    for model, keys in new.items():
        added = {key: FieldInfo(default=value) for key, value in keys.items()}
        monkeypatch.setattr(model, "__pydantic_fields__", {**model.model_fields, **added})
    monkeypatch.setattr(identity_module, "plain_config", with_new_keys)
    assert identity(config) == before
    assert first_identities(config, known) == {first}
    assert first not in first_identities(config, keys_of(with_new_keys(config)))
    monkeypatch.setattr(identity_module, "plain_config", lambda config: with_new_keys(config, patience=4))
    assert identity(config) != before
    assert first not in first_identities(config, known)


def test_an_argument_that_came_later_is_known_or_not():
    config = config_from_mapping(BASE)
    values = identity_module.plain_config(config)
    later = first_identities(config, keys_of(values) - {"model mlp.dropout"})
    assert len(later) == 2
    assert first_identities(config, keys_of(values)) < later


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"outputs": {"age": {"weight": 2}}}, {"outputs": {"age": {}}}),
        ({"outputs": {"age": {}}}, {}),
        ({"split": {"fold": {"index": 0}}}, {}),
        ({"model": {"name": "mlp", "hidden": [64]}}, {"model": {"name": "mlp", "hidden": [64, 64]}}),
        ({"callbacks": [{"name": "EarlyStopping", "patience": 1}]}, {"callbacks": ["EarlyStopping"]}),
        ({"optimizer": {"name": "adam"}}, {"optimizer": {"name": "rmsprop"}}),
    ],
)
def test_a_section_of_defaults_is_not_the_same_as_none(first, second):
    assert of(**first) != of(**second)


def test_a_study_with_the_default_folds_is_one():
    assert of(study=True, kfold={"n_splits": 4}) != of(study=True)
    assert of(study=True, kfold={"n_splits": 4}) == of(study=True, kfold={"repeats": 1})

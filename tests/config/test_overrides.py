from pathlib import Path

import pytest

from dlrun.config.loading import load_config
from dlrun.config.nodes import from_plain, to_plain
from dlrun.config.overrides import apply_overrides, setting
from dlrun.config.schema import Config, Training
from dlrun.errors import ConfigError, listing

BASE = """\
data: digits
model: {name: mlp, hidden: [16]}
training: {epochs: 5}
callbacks:
  - {name: EarlyStopping, patience: 2}
  - CSVLogger
"""


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE, encoding="utf-8")
    return Path("base.yaml")


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("training.epochs=7", lambda c: c.training.epochs, 7),
        ("training.epochs=1e2", lambda c: c.training.epochs, 100),
        ("training.shuffle=off", lambda c: c.training.shuffle, False),
        ("model.hidden=[8, 8]", lambda c: c.model.parameters["hidden"], [8, 8]),
        ("model.hidden[0]=32", lambda c: c.model.parameters["hidden"], [32]),
        ("model.hidden[+]=4", lambda c: c.model.parameters["hidden"], [16, 4]),
        ("callbacks[0].patience=9", lambda c: c.callbacks[0].parameters["patience"], 9),
        ("callbacks[-1].append=true", lambda c: c.callbacks[1].parameters["append"], True),
        ("callbacks[+]=TerminateOnNaN", lambda c: [x.name for x in c.callbacks][2], "TerminateOnNaN"),
        ("callbacks[+]={name: TensorBoard}", lambda c: len(c.callbacks), 3),
        ("~callbacks[0]", lambda c: [x.name for x in c.callbacks], ["CSVLogger"]),
        ("~training", lambda c: c.training.epochs, 10),
        ("~training.epochs", lambda c: c.training.epochs, 10),
        ("~model.hidden", lambda c: c.model.parameters["hidden"], [64, 64]),
        ("optimizer.learning_rate=1e-2", lambda c: c.optimizer.parameters["learning_rate"], 0.01),
        ("optimizer=sgd", lambda c: c.optimizer.name, "sgd"),
        ("monitor=val_loss", lambda c: c.monitor.metric, "val_loss"),
        ("metrics[+]=mae", lambda c: c.metrics, ["mae"]),
        ("description=a = b", lambda c: c.description, "a = b"),
        ("runtime.device=gpu:1", lambda c: c.runtime.device, "gpu:1"),
        ("split.fold={index: 1}", lambda c: c.split.fold.n_splits, 4),
    ],
)
def test_an_override_sets_or_drops_a_value(override, read, value, base):
    assert read(load_config(base, [override])) == value


def test_later_overrides_win(base):
    assert load_config(base, ["training.epochs=7", "training.epochs=8"]).training.epochs == 8


def test_another_name_drops_what_files_said_of_the_old_one(base):
    config = load_config(base, ["model.layers=[Flatten]", "model.name=layers"])
    assert config.model.parameters == {"layers": ["Flatten"], "head": True}


TRAINING = listing(Training.model_fields, 24)
FIRST = listing(Training.model_fields, 4)
TOP = listing([*Config.model_fields, "extends"], 24)
BROKEN = {
    "training.epochs": """\
error: -s:1:1: this override sets nothing
   1 | training.epochs
     | ^^^^^^^^^^^^^^^
  expected  KEY=VALUE, such as model.units=128 or callbacks[0].patience=3; or ~KEY""",
    "=3": """\
error: -s:1:1: this override names no key
   1 | =3
     | ^^
  expected  KEY=VALUE, such as model.units=128 or callbacks[0].patience=3; or ~KEY""",
    "training..epochs=3": """\
error: -s:1:9: this is not the path of a key
   1 | training..epochs=3
     |         ^
  expected  KEY=VALUE, such as model.units=128 or callbacks[0].patience=3; or ~KEY""",
    "callbacks[one].patience=3": """\
error: -s:1:10: this is not the path of a key
   1 | callbacks[one].patience=3
     |          ^
  expected  KEY=VALUE, such as model.units=128 or callbacks[0].patience=3; or ~KEY""",
    "~training=3": """\
error: -s:1:10: ~KEY drops a key and takes no value
   1 | ~training=3
     |          ^^
  expected  ~KEY, or KEY=VALUE""",
    "~trainig": """\
error: -s:1:2: there is no trainig to drop
   1 | ~trainig
     |  ^^^^^^^
  expected  data, model, training, callbacks
  hint      did you mean training?""",
    "callbacks[5].patience=3": """\
error: -s:1:10: callbacks has 2 entries, not [5]
   1 | callbacks[5].patience=3
     |          ^^^
  expected  an index from 0 to 1
  hint      callbacks[+]=... appends one""",
    "callbacks.patience=3": """\
error: -s:1:11: callbacks is a list
   1 | callbacks.patience=3
     |           ^^^^^^^^
  expected  an index, such as callbacks[0]""",
    "training[0]=3": """\
error: -s:1:9: training is not a list
   1 | training[0]=3
     |         ^^^
  expected  a key: epochs""",
    "training.epochs.most=3": """\
error: -s:1:17: training.epochs is a single value, it has no key most
   1 | training.epochs.most=3
     |                 ^^^^
  hint      set training.epochs itself""",
    "training[+]=3": """\
error: -s:1:9: [+] appends to a list, and training is none
   1 | training[+]=3
     |         ^^^""",
    "model.hidden=[8, 8": """\
error: -s:1:14: this list is not closed, or a comma is missing,
   1 | model.hidden=[8, 8
     |              ^
  hint      it needs a ]""",
    "training.epoch=3": f"""\
error: -s:1:10: training.epoch is not a key of `training`
   1 | training.epoch=3
     |          ^^^^^
  expected  {TRAINING}
  hint      did you mean epochs?""",
    "training.epochs=many": """\
error: -s:1:17: training.epochs is not an integer
   1 | training.epochs=many
     |                 ^^^^
  received  'many' (text)""",
    "model.hidden=[8, x]": """\
error: -s:1:18: model.hidden[1] is not an integer of 1 or more
   1 | model.hidden=[8, x]
     |                  ^
  received  'x' (text)""",
    "trainig.epochs=3": f"""\
error: -s:1:1: trainig is not a key of a config
   1 | trainig.epochs=3
     | ^^^^^^^
  expected  {TOP}
  hint      did you mean training?""",
    "extends=other.yaml": """\
error: -s:1:1: extends can only stand in a config file
   1 | extends=other.yaml
     | ^^^^^^^""",
    "training=": f"""\
error: -s:1:1: training is empty
   1 | training=
     | ^^^^^^^^
  expected  a mapping
  hint      add a key below it ({FIRST}), or remove the line""",
}


@pytest.mark.parametrize("override", BROKEN)
def test_a_wrong_override_is_told_in_exactly_these_words(override, base):
    with pytest.raises(ConfigError) as caught:
        load_config(base, [override])
    assert str(caught.value) == BROKEN[override]


def test_all_wrong_overrides_are_told_at_once(base):
    with pytest.raises(ConfigError) as caught:
        load_config(base, ["a", "~b"])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "value", ["/mnt/data #1", "123", "a: b", "~/data", "[x]", "with 'quotes'\"", "yes", "", "1e3", "é"]
)
def test_a_setting_is_read_as_exactly_this_text(value):
    root = from_plain({"data": {"name": "digits"}})
    apply_overrides(root, [setting("data.dir", Path(value) if value else value)])
    assert to_plain(root)["data"]["dir"] == value


def test_a_setting_takes_numbers_and_truth():
    assert [setting("seed", 3), setting("data.sample", True)] == ["seed=3", "data.sample=true"]


def test_a_path_without_end_is_refused():
    with pytest.raises(ConfigError, match=r"-s:1:1\d\d: the path of this override is too long"):
        apply_overrides(from_plain({}), ["model." + "a." * 5000 + "x=1"])


@pytest.mark.parametrize(
    ("stated", "overrides", "epochs"),
    [
        ("epochs: 5", ["training.stages=[{epochs: 1}, {epochs: 2}]"], 3),
        ("stages: [{epochs: 3}, {epochs: 2}]", ["training.stages[0].epochs=5"], 7),
        ("{stages: [{epochs: 3}, {epochs: 2}], epochs: 5}", ["training.stages[+]={epochs: 4}"], 9),
        ("stages: [{epochs: 3}, {epochs: 2}]", ["~training.stages[0]"], 2),
        ("stages: [{epochs: 3}, {epochs: 2}]", ["training.stages=[]"], 5),
        ("epochs: 5", ["training.stages=[{epochs: 1}]", "training.stages[0].epochs=4"], 4),
    ],
)
def test_stages_that_are_set_say_how_many_epochs_there_are(base, stated, overrides, epochs):
    stated = stated if stated.startswith("{") else f"{{{stated}}}"
    base.write_text(f"data: digits\nmodel: mlp\ntraining: {stated}\n")
    assert load_config(base, overrides).training.epochs == epochs


def test_epochs_that_are_set_beside_other_stages_are_refused(base):
    with pytest.raises(ConfigError, match=r"training\.epochs is 9, and the stages have 1 epochs") as caught:
        load_config(base, ["training.epochs=9", "training.stages=[{epochs: 1}]"])
    assert "training.stages[0].epochs" in str(caught.value)

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dlrun.config.loading import config_from_mapping, dump_config, load_config
from dlrun.errors import ConfigError

PLUGIN = Path(__file__).parent / "broken" / "plugin.py"

RICH = """\
data: digits
plugins: [plugin.py]
model:
  name: layers
  layers:
    - Dense: {units: 32, activation: relu, kernel_regularizer: {L2: {l2: 1e-3}}}
    - Bidirectional: {layer: {LSTM: {units: 8}}}
    - Flatten
optimizer:
  name: Adam
  learning_rate: {ExponentialDecay: {initial_learning_rate: 1e-3, decay_steps: 100, decay_rate: 0.9}}
loss: {mse: {}}
metrics: [accuracy, {AUC: {name: area}}]
training: {epochs: 1e1, shuffle: no, class_weight: {0: 1, 1: 2.5}}
monitor: val_area
callbacks: [EarlyStopping, {name: CSVLogger}, {name: ModelCheckpoint, monitor: loss}]
description: "text with: colon, # hash and 'quotes'"
"""


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if not (folder / "plugin.py").exists():
        (folder / "plugin.py").write_text(PLUGIN.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_the_shortest_config_has_every_default(tmp_path):
    config = load_config(write(tmp_path, "first.yaml", "data: digits\nmodel: mlp\n"))
    assert config.name == "first"
    assert config.model.parameters["activation"] == "relu"
    assert config.optimizer.parameters["learning_rate"] == 0.001
    assert config.routine.name == "fit"
    assert config.training.epochs == 10


def test_short_forms_are_written_out(tmp_path):
    config = load_config(write(tmp_path, "rich.yaml", RICH))
    assert config.data.name == "digits"
    assert config.monitor.metric == "val_area"
    assert [callback.name for callback in config.callbacks] == ["EarlyStopping", "CSVLogger", "ModelCheckpoint"]


def test_values_get_the_type_of_their_key(tmp_path):
    training = load_config(write(tmp_path, "rich.yaml", RICH)).training
    assert training.epochs == 10
    assert isinstance(training.epochs, int)
    assert training.shuffle is False
    assert training.class_weight == {0: 1.0, 1: 2.5}


def test_callbacks_get_defaults_but_not_what_dlrun_supplies(tmp_path):
    early, logger, plateau = load_config(write(tmp_path, "rich.yaml", RICH)).callbacks
    assert early.parameters["patience"] == 0
    assert "monitor" not in early.parameters
    assert "filename" not in logger.parameters
    assert plateau.parameters["monitor"] == "loss"


def test_a_dumped_config_loads_as_an_equal_one(tmp_path):
    config = load_config(write(tmp_path, "rich.yaml", RICH))
    text = dump_config(config)
    again = load_config(write(tmp_path, "elsewhere/config.yaml", text))
    assert again.model_dump() == config.model_dump()
    assert dump_config(again) == text


def test_a_plain_yaml_loader_reads_the_same_values(tmp_path):
    config = load_config(write(tmp_path, "rich.yaml", RICH))
    values = yaml.safe_load(dump_config(config))
    assert values["optimizer"]["epsilon"] == 1e-07
    assert isinstance(values["optimizer"]["epsilon"], float)
    assert list(values)[:4] == ["format", "name", "description", "seed"]


def test_a_config_from_a_mapping_equals_the_one_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(write(tmp_path, "rich.yaml", RICH))
    assert config_from_mapping(yaml.safe_load(dump_config(config))).model_dump() == config.model_dump()


def test_a_config_from_a_mapping_tells_keys_without_places():
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"data": "digits", "training": {"epoch": 3}})
    assert str(caught.value).startswith("error: training.epoch is not a key of `training`\n  expected")


def test_mappings_merge_and_lists_replace(tmp_path):
    write(tmp_path, "base.yaml", "data: digits\ntraining: {epochs: 5, batch_size: 64}\nmetrics: [accuracy, mae]\n")
    child = write(tmp_path, "child.yaml", "extends: base.yaml\ntraining: {epochs: 7}\nmetrics: [mse]\n")
    config = load_config(child)
    assert (config.training.epochs, config.training.batch_size, config.metrics) == (7, 64, ["mse"])


def test_a_section_with_another_name_is_replaced(tmp_path):
    write(tmp_path, "base.yaml", "data: digits\nmodel: {name: mlp, hidden: [8], dropout: 0.5}\n")
    same = write(tmp_path, "same.yaml", "extends: base.yaml\nmodel: {name: mlp, dropout: 0.1}\n")
    other = write(tmp_path, "other.yaml", "extends: base.yaml\nmodel: {name: layers, layers: [Flatten]}\n")
    assert load_config(same).model.parameters["hidden"] == [8]
    assert load_config(other).model.parameters["layers"] == ["Flatten"]
    assert "dropout" not in load_config(other).model.parameters


def test_later_extended_files_win_and_folders_are_relative(tmp_path):
    write(tmp_path, "parts/one.yaml", "data: digits\nseed: 1\ntraining: {epochs: 1}\n")
    write(tmp_path, "parts/two.yaml", "seed: 2\n")
    config = load_config(write(tmp_path, "top.yaml", "extends: [parts/one.yaml, parts/two.yaml]\n"))
    assert (config.seed, config.training.epochs) == (2, 1)


def test_name_description_and_expect_are_not_inherited(tmp_path):
    expect = "expect: {metric: val_accuracy, value: 0.9, tolerance: 0.1}"
    write(tmp_path, "base.yaml", f"name: base\ndescription: the base\ndata: digits\n{expect}\n")
    config = load_config(write(tmp_path, "child.yaml", "extends: base.yaml\n"))
    assert (config.name, config.description, config.expect) == ("child", "", [])


def test_an_error_in_an_extended_file_says_how_it_got_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "base.yaml", "data: digits\ntraining: {epochs: 0}\n")
    write(tmp_path, "child.yaml", "extends: base.yaml\n")
    with pytest.raises(ConfigError) as caught:
        load_config("child.yaml")
    assert str(caught.value).splitlines() == [
        "error: base.yaml:2:20: training.epochs is out of range",
        "   2 | training: {epochs: 0}",
        "     |                    ^",
        "  from      child.yaml extends base.yaml",
        "  received  0",
        "  expected  1 or more",
    ]


def test_every_leaf_knows_where_it_was_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "base.yaml", "data: digits\ntraining: {epochs: 5, batch_size: 64}\n")
    write(tmp_path, "child.yaml", "extends: base.yaml\ntraining:\n  epochs: 7\n")
    config = load_config("child.yaml", ["seed=3"])
    assert str(config.place(("training", "epochs"))) == "child.yaml:3:11"
    assert str(config.place(("training", "batch_size"))) == "base.yaml:2:35"
    assert str(config.place(("seed",))) == "-s:1:6"
    assert config.place(("runtime", "device")) is None


def test_paths_start_at_the_file_that_names_them(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(tmp_path, "sub/vectors.txt", "x")
    text = (
        "data: {name: digits, dir: files}\nplugins: ../plugin.py\nmodel: {name: net, units: 3, vectors: vectors.txt}\n"
    )
    path = write(tmp_path, "sub/a.yaml", text)
    config = load_config(path)
    assert config.data.dir == tmp_path / "sub" / "files"
    assert config.plugins == [tmp_path / "plugin.py"]
    assert config.model.parameters["vectors"] == str(tmp_path / "sub" / "vectors.txt")
    assert load_config(path, ["data.dir=files"]).data.dir == tmp_path / "here" / "files"
    assert load_config(path, ["model.vectors=glove.txt"]).model.parameters["vectors"] == "glove.txt"


SUGGESTIONS = [
    ("data: digts\n", "digts", "digits"),
    ("data: digits\ntraining: {epoch: 5}\n", "epoch", "epochs"),
    ("data: digits\noptimizer: {name: sgd, lr: 0.1}\n", "lr", "learning_rate"),
    ("data: digits\nmodel: {name: mlp, hiden: [8]}\n", "hiden", "hidden"),
    ("data: digits\nmonitor: val_acuracy\n", "val_acuracy", "val_accuracy"),
    ("data: digits\nloss: {MeanSquareError: {}}\n", "MeanSquareError", None),
    ("data: digits\nmetrics: [acuracy]\n", "acuracy", "accuracy"),
    ("data: digits\ncallbacks: [EarlyStoping]\n", "EarlyStoping", "EarlyStopping"),
    ("data: digits\nmodel: {name: layers, layers: [{Dens: {units: 3}}]}\n", "Dens", "Dense"),
]


@pytest.mark.parametrize(("text", "typo", "meant"), SUGGESTIONS)
def test_a_suggestion_loads_when_it_is_applied(text, typo, meant, tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, "a.yaml", text))
    hint = caught.value.problems[0].hint
    assert hint.startswith("did you mean ")
    suggestion = hint.removeprefix("did you mean ").removesuffix("?")
    assert meant in (None, suggestion)
    load_config(write(tmp_path, "b.yaml", text.replace(typo, suggestion, 1)))


def test_another_routine_may_monitor_what_it_likes(tmp_path):
    write(tmp_path, "gan.py", '@dlrun.routine("duel")\ndef duel(experiment, *, rounds: int = 3):\n    """A duel."""\n')
    text = "data: digits\nplugins: gan.py\nroutine: duel\nmonitor: val_acuracy\n"
    assert load_config(write(tmp_path, "a.yaml", text)).routine.parameters == {"rounds": 3}


FRESH = """
import sys
from dlrun.config.loading import load_config
load_config(sys.argv[1])
heavy = {"tensorflow", "keras", "numpy", "sklearn", "matplotlib", "dlrun_plugin_plugin"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""


def test_loading_imports_no_keras_no_numpy_and_no_plugin(tmp_path):
    path = write(tmp_path, "rich.yaml", RICH)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", FRESH, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.perf_counter() - started < 5  # measured: 0.4 s; a Keras import takes far longer


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "-x", "a/b", "a" * 65])
def test_a_name_that_leads_out_of_the_outputs_is_refused(name):
    with pytest.raises(ConfigError, match="name is not a valid name"):
        config_from_mapping({"data": "digits", "name": name})


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("..", "config"),
        (".hidden", "hidden"),
        ("-x", "x"),
        ("my run²", "my_run_"),
        ("ünï-1.2", "ünï-1.2"),
        ("a" * 80, "a" * 64),
    ],
)
def test_a_name_made_from_a_file_is_a_valid_one(stem, name):
    assert config_from_mapping({"data": "digits"}, name=stem).name == name

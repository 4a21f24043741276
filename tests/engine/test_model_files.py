import json
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from dlrun.cli import main
from dlrun.data import _archives
from dlrun.engine.model_files import load_model
from dlrun.errors import RunDirError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "plain.keras"
    keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax", name="last")]).save(path)
    return path


@pytest.fixture
def packed(saved, tmp_path):
    """Makes a `.keras` file with some members changed (None: left out) or added."""

    def pack(changes, method=zipfile.ZIP_DEFLATED):
        path = tmp_path / "changed.keras"
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w", method) as target:
            members = {name: source.read(name) for name in source.namelist()}
            for name, content in {**members, **changes}.items():
                if content is not None:
                    target.writestr(name, content)
        return path

    return pack


def test_a_model_comes_back(saved, packed):
    x = np.ones((1, 64), "float32")
    expected = keras.saving.load_model(saved)(x).numpy()
    assert np.array_equal(load_model(saved)(x).numpy(), expected)
    assert np.array_equal(load_model(packed({}))(x).numpy(), expected)


BROKEN = {
    "a description that is no JSON": ({"config.json": b"{"}, "is damaged: Expecting"),
    "a description nested without end": ({"config.json": b"[" * 100_000}, "is damaged: maximum recursion"),
    "a description of something else": ({"config.json": b"[1]"}, "cannot be loaded by Keras"),
    "no description": ({"config.json": None}, "holds no config.json"),
    "no weights": ({"model.weights.h5": None}, "cannot be loaded by Keras"),
    "weights that are none": ({"model.weights.h5": b"nothing"}, "cannot be loaded by Keras"),
    "a member that leads out": ({"assets/../../owned": b"x"}, "leads out of the archive"),
    "an absolute member": ({"/tmp/owned": b"x"}, "leads out of the archive"),
}


@pytest.mark.parametrize(("changes", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_clear_error(packed, changes, message):
    with pytest.raises(RunDirError, match=message) as caught:
        load_model(packed(changes))
    assert "changed.keras" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_one_clear_error(saved, tmp_path, share):
    content = saved.read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: int(share * len(content))])
    with pytest.raises(RunDirError, match=r"cut\.keras is damaged, or not a \.keras file"):
        load_model(tmp_path / "cut.keras")


def test_a_bomb_is_refused_before_it_is_unpacked(packed, monkeypatch):
    monkeypatch.setattr(_archives, "FREE_BYTES", 10**6)
    with pytest.raises(RunDirError, match=r"assets/bomb would grow from 1 MiB to 8 MiB"):
        load_model(packed({"assets/bomb": b"\0" * 8_000_000}))
    monkeypatch.setattr("dlrun.engine.model_files.MOST_CONFIG_BYTES", 10)
    with pytest.raises(RunDirError, match="the description of the model is larger than"):
        load_model(packed({}))


def test_bzip2_is_refused(packed):
    with pytest.raises(RunDirError, match="packed in a way that dlrun does not read"):
        load_model(packed({}, zipfile.ZIP_BZIP2))


def config_with(function):
    layer = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
    layer["config"] = {"name": "harmless", "function": function}
    inside = {"name": "s", "layers": [layer]}
    return {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": inside}


NOT_RUN = {
    "os": {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
    "builtins": {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    "keras": {"module": "keras.utils", "class_name": "get_file", "config": {}, "registered_name": None},
}


@pytest.mark.parametrize("function", NOT_RUN.values(), ids=NOT_RUN)
def test_a_function_that_is_no_layer_is_refused(packed, function):
    with pytest.raises(RunDirError, match="cannot be loaded by Keras"):
        load_model(packed({"config.json": json.dumps(config_with(function))}))


@pytest.fixture
def with_code(tmp_path):
    """A model of digits with a Lambda that writes a file, as Keras itself saves it."""
    owned = str(tmp_path / "owned")

    def act(x):
        Path(owned).touch()
        return x

    layers = [keras.layers.Reshape((64,)), keras.layers.Lambda(lambda x: act(x), name="twice"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.save(tmp_path / "code.keras")
    (tmp_path / "owned").unlink()
    return SimpleNamespace(file=tmp_path / "code.keras", owned=tmp_path / "owned")


def test_a_lambda_is_refused_by_the_name_of_its_layer(with_code):
    with pytest.raises(RunDirError, match=r"the Lambda 'twice' holds Python code .* does not run from a file"):
        load_model(with_code.file)
    assert not with_code.owned.exists()


def test_evaluate_refuses_a_lambda_without_a_traceback(with_code, capsys):
    assert main(["evaluate", str(with_code.file), "--config", "digits"]) == 1
    assert "the Lambda 'twice' holds Python code" in capsys.readouterr().err
    assert not with_code.owned.exists()


def test_predict_and_show_do_not_run_a_lambda_in_a_run(with_code, digits_run, tmp_path, capsys):
    run = tmp_path / "outputs" / "digits" / digits_run.path.name
    shutil.copytree(digits_run.path, run)
    shutil.copy(with_code.file, run / "best.keras")
    assert main(["show", str(run)]) == 0
    assert main(["predict", str(run)]) == 1
    assert "the Lambda 'twice' holds Python code" in capsys.readouterr().err
    assert not with_code.owned.exists()

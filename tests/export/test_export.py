import importlib.util
import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from dlrun.cli import main
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.errors import RunDirError, UnknownNameError
from dlrun.export import FORMATS, _formats, export
from dlrun.predict import predict
from dlrun.train import train

BOTH = ["keras", "saved_model"]
RECURRENT = {"name": "rnn", "units": [8]}


def exported(run, folder, formats):
    return export(run, load_config(run.config_file), formats, folder=folder)


@pytest.fixture(scope="module")
def digits_export(digits_run, tmp_path_factory):
    return exported(digits_run, tmp_path_factory.mktemp("export") / "digits", BOTH)


def test_each_format_is_read_again_and_compared_on_rows_of_the_validation_part(digits_export):
    assert [one.format for one in digits_export.written] == BOTH
    assert digits_export.left_out == {}
    assert digits_export.rows == 64
    assert digits_export.written[0].difference == 0
    assert digits_export.written[1].difference < 1e-5
    assert {path.name for path in digits_export.folder.iterdir()} == {
        *("model.keras", "saved_model", "preprocess.json", "examples.npz", "export.json", "README.md")
    }


def test_the_examples_are_what_the_run_predicts(digits_export, digits_run):
    found = np.load(digits_export.folder / "examples.npz")
    model = keras.saving.load_model(digits_export.folder / "model.keras", compile=False)
    assert found["input pixels"].shape == (8, 64)
    np.testing.assert_allclose(model.predict(found["input pixels"], verbose=0), found["output digit"], atol=1e-6)
    told = predict(digits_run, load_config(digits_run.config_file), split="validation").rows[:8]
    assert [row["prediction"] for row in told] == [str(row.argmax()) for row in found["output digit"]]


def test_inputs_preprocessing_and_outputs_are_told(digits_export):
    about = json.loads((digits_export.folder / "export.json").read_text())
    assert about["inputs"] == [{"name": "pixels", "dtype": "float32", "shape": ["rows", 64]}]
    assert about["preprocessing"]["options"]["divide_by"] == 16
    (output,) = about["outputs"]
    assert output["labels"] == list("0123456789")
    text = (digits_export.folder / "README.md").read_text()
    assert "- `pixels`: float32, (rows, 64)" in text
    assert "- divide_by: `16.0`" in text
    assert "the probability of each label, in this order" in text


def test_an_export_replaces_an_earlier_one_but_fills_no_other_folder(digits_export, digits_run, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(digits_export.folder, again)
    assert exported(digits_run, again, ["keras"]).written[0].difference == 0
    assert not (again / "saved_model").exists()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunDirError, match="is not empty"):
        exported(digits_run, tmp_path, ["keras"])


def test_a_format_that_is_unknown_is_told_with_those_there_are(digits_run, tmp_path):
    with pytest.raises(UnknownNameError, match="no format 'onx'"):
        exported(digits_run, tmp_path / "export", ["onx"])
    assert not (tmp_path / "export").exists()


def test_without_its_packages_a_format_is_left_out_with_the_command_that_installs_them(
    digits_run, tmp_path, monkeypatch, capsys
):
    find = importlib.util.find_spec
    monkeypatch.setattr(_formats.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    words = ["export", str(digits_run.path), "-o", str(tmp_path / "export"), "--format", "keras,onnx"]
    assert main(words) == 1
    shown = capsys.readouterr().out
    assert "no onnx: needs tf2onnx" in shown
    assert "pip install 'dlrun[onnx]'" in shown
    assert (tmp_path / "export" / "model.keras").exists()


def test_what_predicts_otherwise_or_cannot_be_converted_is_removed_again(digits_run, tmp_path, monkeypatch):
    def wrong(path):
        return lambda inputs: {"digit": np.zeros((64, 10), "float32")}

    def fail(model, path):
        path.write_text("half of it")
        raise ValueError("no such operation\nand more")

    monkeypatch.setitem(FORMATS, "keras", replace(FORMATS["keras"], read=wrong))
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], write=fail, packages=()))
    found = exported(digits_run, tmp_path / "export", ["keras", "onnx"])
    assert found.written == []
    assert "differ by up to" in found.left_out["keras"]
    assert found.left_out["onnx"] == "ValueError: no such operation"
    assert list((tmp_path / "export").iterdir()) == []


def test_json_is_one_object(digits_run, tmp_path, capsys):
    assert main(["export", str(digits_run.path), "-o", str(tmp_path / "export"), "--format", "keras", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"][0]["format"] == "keras"


def test_a_scaled_target_is_told_with_its_scale(outputs, tmp_path):
    path = tmp_path / "sizes.csv"
    size = np.random.default_rng(1).uniform(0, 1, 60)
    np.savetxt(path, np.stack([size, 1000 * size], axis=1), header="size,price", comments="", delimiter=",")
    keys = {"training": {"epochs": 1, "tensorboard": False}, "model": {"name": "mlp", "hidden": [4]}}
    data = {"name": "csv", "path": str(path), "target": "price", "scale_target": True}
    run = train(config_from_mapping({"name": "sizes", "data": data, **keys}), outputs=outputs)
    found = exported(run, tmp_path / "export", ["keras"])
    (output,) = json.loads((found.folder / "export.json").read_text())["outputs"]
    assert output["means"] == "multiply by `std`, add `mean`"
    assert 400 < output["mean"][0] < 600
    assert "- chains: `{'numeric': ['impute', 'standardise']" in (found.folder / "README.md").read_text()


def small_run(name, data, model, outputs):
    keys = {"training": {"epochs": 1, "batch_size": 64, "tensorboard": False}, "runtime": {"jit_compile": False}}
    return train(config_from_mapping({"name": name, "data": data, "model": model, **keys}), outputs=outputs)


@pytest.mark.slow
def test_a_convnet_becomes_every_format(outputs, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    run = small_run("pictures", {"name": "digits", "image": True}, {"name": "convnet", "filters": [8]}, outputs)
    found = exported(run, tmp_path / "export", [])
    assert found.left_out == {}
    assert [one.format for one in found.written] == list(FORMATS)
    assert [one.remark for one in found.written] == [None] * 4


@pytest.mark.slow
def test_a_recurrent_net_becomes_every_format_in_litert_for_one_row_at_a_time(outputs, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    data = {"name": "imdb", "encoding": "sequence", "maxlen": 20, "num_words": 100, "sample": True}
    found = exported(small_run("words", data, RECURRENT, outputs), tmp_path / "export", [])
    assert found.left_out == {}
    assert "one row at a time" in found.written[-1].remark


@pytest.mark.slow
def test_several_inputs_and_outputs_keep_their_names(outputs, tmp_path):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    from dlrun.config.finding import shipped_configs

    options = ["training.epochs=1", "training.tensorboard=false", "runtime.jit_compile=false"]
    for name, fixed in (("question_answers", "one row at a time"), ("social_posts", None)):
        run = train(load_config(shipped_configs()[name], options), outputs=outputs)
        found = exported(run, tmp_path / name, [])
        assert found.left_out == {}
        assert (fixed or "") in (found.written[-1].remark or "")

"""Runs of a language model: texts after each epoch, columns of the history, exact resume, and `generate`."""

import json
import os
import signal

import numpy as np
import pytest

from dlrun.api import load_run
from dlrun.cli import main
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine.resolve import load_data
from dlrun.errors import ConfigError, Interrupted, UnknownNameError
from dlrun.events import EpochDone
from dlrun.run_dir import RunDir
from dlrun.train import train

TEXT = "the cat sat on the mat. the dog ran to the cat, and the cat slept.\n" * 30


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Makes a config of a small net on a small text; keyword arguments replace sections."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    sections = {
        "name": "writer",
        "data": {"name": "text_corpus", "path": str(path), "maxlen": 12, "step": 2},
        "model": {"name": "layers", "layers": ["Flatten", {"Dense": {"units": 8}}, {"Dropout": {"rate": 0.2}}]},
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "training": {"epochs": 3, "batch_size": 64, "tensorboard": False, "checkpoint_every_seconds": 1000},
        "routine": {"name": "language_model", "temperatures": [0.2, 1.0], "length": 40, "samples": 2},
        "runtime": {"jit_compile": False},
    }
    return lambda **keys: config_from_mapping({**sections, **keys})


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    return train(small(), outputs=tmp_path_factory.mktemp("whole"))


def test_each_epoch_leaves_texts_and_their_measures(whole):
    rows = whole.history()
    assert len(rows) == 3
    for name in ("real_words", "repeated_4grams"):
        assert all(0 <= row[f"{name}_{heat}"] <= 1 for row in rows for heat in ("0.2", "1"))
    assert rows[-1]["val_bits_per_character"] == pytest.approx(rows[-1]["val_loss"] / np.log(2))
    assert all(row["entropy_0.2"] < row["entropy_1"] for row in rows)
    listed = whole.record()["artefacts"]
    assert [one["file"] for one in listed] == [
        *(f"artefacts/samples/epoch-000{epoch}.txt" for epoch in (1, 2, 3)),
        "artefacts/temperature.png",
    ]
    page = (whole.path / listed[2]["file"]).read_text()
    assert page.startswith("epoch 3, after:\n")
    assert page.count("--- temperature") == 2


def test_training_takes_the_fast_way(whole):
    assert load_config(whole.config_file).runtime.execution == "whole_epoch"


def test_a_stopped_and_resumed_run_writes_the_same_texts(small, whole, outputs):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(small(), run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    train(load_config(cut.config_file), resume=cut)
    assert cut.history_file.read_bytes() == whole.history_file.read_bytes()
    texts = {path.name: path.read_text() for path in (whole.artefacts / "samples").iterdir()}
    assert {path.name: path.read_text() for path in (cut.artefacts / "samples").iterdir()} == texts
    assert cut.record()["artefacts"] == whole.record()["artefacts"]


def test_texts_of_words_have_no_share_of_real_ones(small, outputs):
    data = small().data.model_dump() | {"level": "word", "encoding": "sequence", "num_words": 12}
    training = {"epochs": 1, "batch_size": 64, "tensorboard": False}
    routine = {"name": "language_model", "temperatures": [0.5, 1.0], "length": 24, "window": "carried"}
    run = train(small(data=data, training=training, routine=routine), outputs=outputs)
    (row,) = run.history()
    assert {"val_bits_per_word", "repeated_4grams_0.5", "entropy_1"} <= row.keys()
    assert "real_words_1" not in row
    assert "unknown" not in (run.artefacts / "samples" / "epoch-0001.txt").read_text().partition("---")[2]


@pytest.mark.parametrize("heats", [[], [0.5, 0.5], [-1.0]])
def test_what_are_no_temperatures_is_told_before_anything_runs(small, heats):
    with pytest.raises(ConfigError, match="these are no temperatures"):
        small(routine={"name": "language_model", "temperatures": heats})


def test_other_data_is_refused(small, tmp_path, outputs):
    with pytest.raises(ConfigError, match="learns running text"):
        small(data={"name": "digits"}, model={"name": "mlp"})
    (tmp_path / "own.py").write_text(
        "import dlrun\nfrom dlrun.data.digits import digits\n\n"
        "@dlrun.dataset('own')\ndef own(context):\n    return digits(context)\n"
    )
    with pytest.raises(ConfigError, match="learns running text"):
        train(small(data={"name": "own"}, model={"name": "mlp"}, plugins=[str(tmp_path / "own.py")]), outputs=outputs)


def test_generate_writes_the_same_text_for_the_same_seed(whole, capsys):
    command = ["generate", str(whole.path), "--prompt", "The cat", "--temperature", "0.5,1", "--length", "30"]
    texts = []
    for seed in ("4", "4", "5"):
        assert main([*command, "--seed", seed]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("--- temperature 0.5\nThe cat")
    folders = sorted((whole.artefacts / "generated").iterdir())
    record = json.loads((folders[0] / "generate.json").read_text())
    assert record["options"] == {
        "seed": 4,
        "weights": "best",
        "prompt": "The cat",
        "temperature": [0.5, 1.0],
        "length": 30,
        "samples": 1,
    }
    assert len(record["models"]["best.keras"]) == 64
    text = (folders[0] / "temperature-1.txt").read_text()
    assert text == record["texts"]["temperature 1"] + "\n"
    assert len(text) == len("The cat") + 30 + 1


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_windows_of_nietzsche_are_as_many_as_the_book_has():
    """DLwP 8.1.4: range(0, len(text) - maxlen, step) on 600,893 characters."""
    config = load_config("configs/book/char_lstm_nietzsche_as_printed.yaml")
    data = load_data(config)
    assert len(data.splits["training"]) == 200_278
    assert len(data.encoder.tokens) == 57


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lower_temperatures_write_more_real_words_and_repeat_themselves_more(outputs, seed):
    """DLwP 8.1.3 and 8.1.4 say so in words: a net of the book after three epochs on 30,042 windows."""
    options = [f"seed={seed}", "data.step=18", "training.epochs=3", "training.tensorboard=false"]
    (*_, row) = train(load_config("configs/book/char_lstm_nietzsche.yaml", options), outputs=outputs).history()
    for name, falling in (("real_words", True), ("repeated_4grams", True), ("entropy", False)):
        values = [row[f"{name}_{heat}"] for heat in ("0.2", "0.5", "1", "1.2")]
        assert values == sorted(values, reverse=falling), name
    assert row["val_bits_per_character"] < 3.0  # one that guesses by the frequencies has 4.3


def test_generate_as_json_is_one_object(whole, tmp_path, capsys):
    options = ["--samples", "2", "--length", "5", "--output", str(tmp_path / "made"), "--json"]
    assert main(["generate", str(whole.path), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["texts"])[:2] == ["temperature 0.2, text 1", "temperature 0.2, text 2"]
    assert found["folder"] == str(tmp_path / "made")


def test_replay_repeats_a_call_and_compares(whole, capsys):
    assert main(["generate", str(whole.path), "--length", "20", "--seed", "9", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    number = first["folder"][-3:]
    assert main(["generate", str(whole.path), "--replay", number]) == 0
    assert "the same, byte for byte" in capsys.readouterr().err
    (whole.artefacts / "generated" / number / "temperature-1.txt").write_text("other")
    assert main(["generate", str(whole.path), "--replay", number, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == ["temperature-1.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--prompt", "the ßat"], 1, "the corpus of this run has no 'ß'"),
        (["--temperature", "hot"], 2, "--temperature takes numbers"),
        (["--temperature=-1"], 2, "these are no temperatures"),
        (["--replay", "999"], 2, "this run has no call number 999"),
        (["--replay", "1", "--length", "3"], 2, "--replay takes the options of the earlier call"),
    ],
)
def test_generate_tells_what_is_wrong(whole, capsys, arguments, code, expected):
    before = len(list((whole.artefacts / "generated").glob("*")))
    assert main(["generate", str(whole.path), *arguments]) == code
    assert expected in capsys.readouterr().err
    assert len(list((whole.artefacts / "generated").glob("*"))) == before


def test_a_run_that_generates_nothing_says_so_before_keras_is_loaded(digits_run, capsys):
    assert main(["generate", str(digits_run.path)]) == 2
    told = capsys.readouterr().err
    assert "a run of the routine `fit` generates nothing" in told
    assert "language_model" in told


def test_a_notebook_generates_the_same_as_the_command(whole, outputs, capsys):
    options = ["--prompt", "the dog", "--temperature", "0.5", "--length", "20", "--output", str(outputs)]
    assert main(["generate", str(whole.path), *options, "--json"]) == 0
    made = load_run(whole.path).generate(prompt="the dog", temperature=[0.5], length=20)
    assert made.texts == json.loads(capsys.readouterr().out)["texts"]
    with pytest.raises(UnknownNameError, match="takes no --sampels"):
        load_run(whole.path).generate(sampels=3)


def test_what_to_type_next_is_generate(whole, capsys):
    assert main(["show", str(whole.path)]) == 0
    assert f"dlrun generate {whole.path} dlrun evaluate" in " ".join(capsys.readouterr().out.split())


def test_evaluate_and_predict_know_such_a_run(whole, tmp_path, capsys):
    assert main(["evaluate", str(whole.path), "--split", "validation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["loss"] > 0
    (tmp_path / "begun.txt").write_text("the dog ran to the c")
    assert main(["predict", str(whole.path), str(tmp_path / "begun.txt"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    assert found["input"] == "... ran to the c"

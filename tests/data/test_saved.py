import json

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import FILE_NAME, load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.errors import RunDirError

SPLIT = Split().model_dump()

TABLE = "size,colour,price\n" + "".join(f"{k % 7},{'red' if k % 3 else 'blue'},{k * 1.5}\n" for k in range(60))


def table(tmp_path):
    (tmp_path / "a.csv").write_text(TABLE)
    return "csv", {"path": str(tmp_path / "a.csv"), "target": "price"}


CASES = {
    "digits": lambda _: ("digits", {}),
    "digits as images": lambda _: ("digits", {"image": True}),
    "imdb": lambda _: ("imdb", {"num_words": 500}),
    "imdb as sequences": lambda _: ("imdb", {"num_words": 500, "encoding": "sequence", "maxlen": 20}),
    "csv": table,
}


@pytest.mark.parametrize("case", CASES)
def test_preprocessing_survives_the_run(tmp_path, case):
    name, options = CASES[case](tmp_path)
    prepared = prepare_data(name, options, context=DataContext(sample=name == "imdb"), split=SPLIT, seed=1)
    save_preprocessing(prepared, tmp_path / "preprocess")
    saved = load_preprocessing(tmp_path / "preprocess")
    assert (saved.dataset, saved.spec, saved.target_scales) == (name, prepared.spec, prepared.target_scales)
    assert saved.encoder.get_state() == prepared.encoder.get_state()
    indices = np.array([3, 1])
    np.testing.assert_array_equal(
        saved.encoder.batch(prepared.arrays, indices), prepared.encoder.batch(prepared.arrays, indices)
    )


@pytest.fixture
def folder(tmp_path):
    prepared = prepare_data("digits", {}, context=DataContext(), split=SPLIT, seed=1)
    save_preprocessing(prepared, tmp_path)
    return tmp_path


def changed(folder, **changes):
    path = folder / FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_newer_format_is_refused(folder):
    changed(folder, format=3)
    with pytest.raises(RunDirError, match="was written by a newer dlrun\n  received  format 3\n  expected  format 2"):
        load_preprocessing(folder)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(RunDirError, match="the run has no preprocessing"):
        load_preprocessing(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 2}', "\x00", '{"format": 2, "encoder": 3}'])
def test_a_damaged_file_is_told(folder, content):
    (folder / FILE_NAME).write_text(content)
    with pytest.raises(RunDirError, match="train it again"):
        load_preprocessing(folder)


def test_an_encoder_of_a_plugin_is_named(folder):
    changed(folder, encoder={"kind": "spectrogram", "state": {}})
    with pytest.raises(RunDirError, match="the run needs the encoder 'spectrogram'"):
        load_preprocessing(folder)

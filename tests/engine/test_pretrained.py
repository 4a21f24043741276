"""A model that begins with pretrained word vectors, from the config to a prediction."""

import keras
import numpy as np
import pytest

from dlrun.api import load_run
from dlrun.config.loading import config_from_mapping
from dlrun.data._saved import load_preprocessing
from dlrun.engine.pretrained import with_word_vectors
from dlrun.engine.resolve import load_data
from dlrun.errors import ConfigError, DataError
from dlrun.events import Note
from dlrun.rehearse import rehearse, summarise
from dlrun.train import train

MODELS = ("embedding_mlp", "rnn", "conv1d")
VECTORS = {"film": [1, 2, 3], "good": [4, 5, 6], "elsewhere": [7, 8, 9]}


@pytest.fixture
def config(tmp_path):
    """Makes a config of reviews of the words film, good, bad."""
    rows = "".join(f"film {'good' if k % 2 else 'bad'} film,{k % 2}\n" for k in range(40))
    (tmp_path / "x.csv").write_text("text,label\n" + rows)
    (tmp_path / "v.txt").write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in VECTORS.items()))

    def make(model="embedding_mlp", data=None, **parameters):
        text = {"text": "text", "label": "label", "num_words": 6, "encoding": "sequence", "maxlen": 8}
        return config_from_mapping(
            {
                "name": "reviews",
                "data": {"name": "text_csv", "path": str(tmp_path / "x.csv"), **text, **(data or {})},
                "model": {"name": model, "vectors": str(tmp_path / "v.txt"), **parameters},
                "training": {"epochs": 1, "batch_size": 8, "tensorboard": False},
                "runtime": {"jit_compile": False},
            }
        )

    return make


@pytest.mark.parametrize("trainable", [False, True])
def test_a_run_begins_with_the_vectors_and_keeps_them_when_frozen(config, outputs, tmp_path, trainable):
    events = []
    run = train(config(trainable_vectors=trainable), outputs=outputs, on_event=events.append)
    notes = [event.message for event in events if isinstance(event, Note)]
    assert any(note.startswith("v.txt has vectors for 2 of 3 words (66.7%), 8") for note in notes)
    (record,) = run.record()["word_vectors"]
    assert (record["file"], record["words"], record["found"]) == ("v.txt", 3, 2)
    (layer,) = (one for one in keras.saving.load_model(run.model_file("best")).layers if "embedding" in one.name)
    ids = load_preprocessing(run.preprocess).encoder.word_ids()
    expected = np.zeros((6, 3))
    expected[ids["film"]], expected[ids["good"]] = VECTORS["film"], VECTORS["good"]
    assert layer.trainable is trainable
    assert np.array_equal(layer.get_weights()[0], expected) is not trainable
    (tmp_path / "v.txt").unlink()
    assert len(load_run(run.path).predict(["a good film"]).rows) == 1


@pytest.mark.parametrize("model", MODELS)
def test_each_model_for_words_takes_them(config, model):
    small = {"conv1d": {"kernel_size": 2, "pool_size": 2}}.get(model, {})
    table = summarise(config(model, **small))
    assert table.parameters - table.trainable_parameters == 6 * 3


def test_a_dry_run_knows_them(config):
    assert rehearse(config()).model.parameters > 18


def test_what_the_vectors_cover_is_counted_in_the_rows_that_train(config):
    made = config()
    (coverage,) = with_word_vectors(made, load_data(made))[1]
    assert coverage.share_of_texts == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"encoding": "multi_hot"}, ConfigError, "model.vectors needs data whose word ids and words are known"),
        ({}, DataError, "the data file .*v.txt is not there"),
    ],
)
def test_without_words_or_file_there_are_none(config, tmp_path, data, error, message):
    made = config("embedding_mlp", data)
    if error is DataError:
        (tmp_path / "v.txt").unlink()
    with pytest.raises(error, match=message) as caught:
        with_word_vectors(made, load_data(made))
    assert caught.value.problems[0].key == ("model", "vectors")

"""What TensorBoard's own plugins make of the files that a run writes."""

import json

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin
from tensorboard.plugins.histogram.histograms_plugin import HistogramsPlugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from dlrun.engine.projector import TensorBoard, write_embeddings

WORDS = {"good": 4, "bad": 5, "tab\tin\nit": 6}


def small_model():
    inputs = keras.Input((3,), dtype="int32")
    vectors = keras.layers.Embedding(8, 2, name="words")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="last")(keras.layers.Flatten()(vectors)))


@pytest.fixture
def context(tmp_path):
    """What TensorBoard gives its plugins, for a log folder in which a run of one epoch wrote."""
    model = small_model()
    model.compile("sgd", "mse")
    callback = TensorBoard(words=WORDS, embeddings_freq=1, histogram_freq=1, log_dir=str(tmp_path / "logs"))
    model.fit(np.zeros((2, 3)), np.zeros(2), epochs=1, callbacks=[callback], verbose=0)
    logs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "logs"))
    provider = MultiplexerDataProvider(logs.Reload(), str(tmp_path / "logs"))
    return TBContext(logdir=str(tmp_path / "logs"), data_provider=provider), model


def test_the_projector_reads_vectors_and_words(context):
    (board, model), pages = context, {}
    plugin = ProjectorPlugin(board)
    plugin._update_configs()
    for page in ("info", "tensor", "metadata"):
        client = Client(plugin.get_plugin_apps()[f"/{page}"], Response)
        pages[page] = client.get("/", query_string={"run": "train", "name": "words"})
    (embedding,) = json.loads(pages["info"].data)["embeddings"]
    assert (embedding["tensorName"], embedding["tensorShape"]) == ("words", [8, 2])
    vectors = np.frombuffer(pages["tensor"].data, "float32").reshape(8, 2)
    np.testing.assert_allclose(vectors, model.get_layer("words").get_weights()[0], rtol=1e-5)
    assert pages["metadata"].data.decode().splitlines()[3:] == ["[3]", "good", "bad", "tab in it", "[7]"]


def test_the_pages_for_histograms_and_graphs_find_the_layers(context):
    board = context[0]
    found = HistogramsPlugin(board).index_impl(RequestContext(), experiment="")
    assert "last/kernel/histogram" in found["train"]
    graph, _ = GraphsPlugin(board).graph_impl(RequestContext(), "train", "keras", True, "")
    assert "words" in graph


def test_ids_beyond_the_rows_of_an_embedding_leave_it_without_words(tmp_path):
    write_embeddings(tmp_path, small_model(), {9: "far"})
    assert "metadata_path" not in (tmp_path / "projector_config.pbtxt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["projector_config.pbtxt", "words.tsv"]

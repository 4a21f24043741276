"""Whole epochs equal steps: the same order of samples, histories and variables.

Measured on two cores: without XLA no difference above 1.2e-6; with XLA, without random layers, none above 1.2e-7. A
bias before batch normalisation would differ by more: its gradient is nothing but rounding, which RMSprop scales up.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from two_modes import largest_difference, make_experiment, train_in, write_files

ROUNDING = 1e-5
XLA_ROUNDING = 1e-5
MODES = ("stepwise", "whole_epoch")
DIGITS = {"data": "digits", "model": {"name": "mlp", "hidden": [8]}, "training": {"epochs": 2, "batch_size": 500}}
SERIES = {"name": "timeseries_csv", "path": "s.csv", "target": "temp", "lookback": 5, "delay": 1}
BY_32, BY_48 = ({"epochs": 2, "batch_size": size} for size in (32, 48))
SMALL_RNN = {"name": "rnn", "units": [3]}
WORDS = {"name": "imdb", "sample": True, "num_words": 300}
GRAPH = {
    "told": {"layers": [{"Embedding": {"input_dim": 500, "output_dim": 4}}, "GlobalAveragePooling1D"], "from": "text"},
    "asked": {"same_as": "told", "from": "question"},
    "both": {"layer": "Concatenate", "from": ["told", "asked"]},
}
RANDOM_LAYERS = [
    {"GaussianNoise": {"stddev": 0.1}},
    {"Dense": {"units": 8, "use_bias": False}},
    "BatchNormalization",
    {"Dropout": {"rate": 0.5}},
]

# One encoder and one family of models each; the last batch of training is a partial one in most.
PAIRS = {
    "array and mlp": {
        "data": "digits",
        "model": {"name": "mlp", "hidden": [8], "dropout": 0.3, "batch_normalization": True},
        "training": {"epochs": 2, "batch_size": 256, "class_weight": "balanced"},
    },
    "table and layers": {
        "data": {"name": "csv", "path": "t.csv", "target": "price"},
        "model": {"name": "layers", "layers": RANDOM_LAYERS},
        "training": {"epochs": 2, "batch_size": 13},
    },
    "words as multi-hot and mlp": {
        "data": WORDS,
        "model": {"name": "mlp", "hidden": [4]},
        "training": {"epochs": 2, "batch_size": 600},
    },
    "words in sequence and embedding_mlp": {
        "data": {**WORDS, "encoding": "sequence", "maxlen": 12},
        "model": {"name": "embedding_mlp", "embedding": 4},
        "training": {"epochs": 2, "batch_size": 600},
    },
    "n-grams of texts and mlp": {
        "data": {"name": "text_csv", "path": "x.csv", "text": "text", "label": "label"}
        | {"encoding": "tf_idf", "ngrams": 2},
        "model": {"name": "mlp", "hidden": [4]},
    },
    "texts and conv1d": {
        "data": {"name": "text_csv", "path": "x.csv", "text": "text", "label": "label", "encoding": "sequence"},
        "model": {"name": "conv1d", "filters": [4], "kernel_size": 3, "embedding": 4, "dropout": 0.2},
    },
    "series and simple": {"data": SERIES, "model": {**SMALL_RNN, "cell": "simple"}, "training": BY_48},
    "series and lstm": {"data": SERIES, "model": {**SMALL_RNN, "cell": "lstm"}, "training": BY_32},
    "series and gru, both ways": {
        "data": SERIES,
        "model": {**SMALL_RNN, "cell": "gru", "bidirectional": True},
        "training": BY_32,
    },
    "series drawn with replacement": {
        "data": SERIES,
        "model": {**SMALL_RNN, "cell": "simple"},
        "training": {"epochs": 2, "batch_size": 16, "steps_per_epoch": 7, "draws": "with_replacement"},
    },
    "images and convnet": {
        "data": {"name": "image_folder", "path": "pets", "height": 8, "width": 8},
        "model": {"name": "convnet", "filters": [4], "hidden": [4], "dropout": 0.3, "batch_normalization": True},
        "training": {"epochs": 2, "batch_size": 10},
    },
    "several arrays and graph": {
        "data": {"name": "question_answers", "rows": 200},
        "model": {"name": "graph", "nodes": GRAPH},
        "training": {"epochs": 2, "batch_size": 48},
    },
    "several outputs": {
        "data": {"name": "social_posts", "people": 200, "maxlen": 10},
        "model": {"name": "embedding_mlp", "embedding": 4, "pooling": "average"},
        "training": {"epochs": 2, "batch_size": 48},
    },
}


WITH_XLA = ("words as multi-hot and mlp", "series and lstm", "several arrays and graph")
QUICK = ("array and mlp", "table and layers", "words as multi-hot and mlp", "images and convnet", "several outputs")
QUICK += ("series drawn with replacement",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def digits_experiment():
    return make_experiment(**DIGITS)


def experiment_of(pair, folder):
    sections = PAIRS[pair]
    data = sections["data"]
    if isinstance(data, dict) and "path" in data:
        data = {**data, "path": str(folder / data["path"])}
    return make_experiment(**{**sections, "data": data})


@pytest.mark.parametrize("pair", [pytest.param(pair, marks=[pytest.mark.slow] * (pair not in QUICK)) for pair in PAIRS])
def test_whole_epochs_equal_steps(pair, folder):
    experiment = experiment_of(pair, folder)
    one, other = (train_in(mode, experiment) for mode in MODES)
    if pair == "several outputs":  # fit counts the loss of each output by batch, which a partial batch makes uneven
        for row in (*one.history, *other.history):
            for name in ("age_loss", "income_loss", "gender_loss"):
                del row[name]
    assert len(one.history) == 2
    assert largest_difference(one, other) <= ROUNDING
    if pair in WITH_XLA:
        fast = train_in("whole_epoch", experiment, jit_compile=True)
        assert largest_difference(other, fast) <= XLA_ROUNDING


def test_the_difference_of_two_orders_is_far_above_rounding(digits_experiment):
    other = make_experiment(**DIGITS, seed=2)
    other.data = digits_experiment.data
    first, second = (train_in("whole_epoch", experiment) for experiment in (digits_experiment, other))
    assert largest_difference(first, second) > 1000 * ROUNDING


@pytest.mark.parametrize(
    ("training", "split"),
    [
        ({"batch_size": 5000}, {}),
        ({"batch_size": 575}, {}),
        ({"batch_size": 1}, {"validation": 4, "test": 1770}),
        ({"batch_size": 400}, {"validation": 0}),
        ({"batch_size": 400, "shuffle": False}, {}),
        ({"batch_size": 25, "epochs": 3}, {"validation": 100, "test": 1247}),
    ],
    ids=[
        "batch above the rows",
        "no partial batch",
        "batch of one",
        "no validation part",
        "no shuffling",
        "validation joined",
    ],
)
def test_batches_of_every_size_equal_steps(training, split):
    experiment = make_experiment(
        **{**DIGITS, "training": {"epochs": 2, **training}, **({"split": split} if split else {})}
    )
    one, other = (train_in(mode, experiment) for mode in MODES)
    assert ("val_loss" in one.history[0]) == (split.get("validation") != 0)
    assert largest_difference(one, other) <= ROUNDING


def test_without_shuffling_every_epoch_has_the_rows_in_their_order():
    experiment = make_experiment(**{**DIGITS, "training": {"epochs": 2, "batch_size": 700, "shuffle": False}})
    seen = []

    class Sees(keras.Model):
        def train_step(self, data):
            tf.py_function(lambda targets: seen.append(targets.numpy()), [data[1]], [])
            return super().train_step(data)

    train_in("whole_epoch", experiment, model=lambda: compiled(Sees))
    wanted = experiment.data.targets["digit"][experiment.data.splits["training"]]
    np.testing.assert_array_equal(np.concatenate(seen[-2:]), wanted)


def compiled(kind, **options):
    inputs = keras.Input((64,))
    model = kind(inputs, keras.layers.Dense(10, activation="softmax")(inputs))
    model.compile("adam", "sparse_categorical_crossentropy", **options)
    model.optimizer.build(model.trainable_variables)
    return model


class OwnNames(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"my_loss": loss, "parts": {"tenth": loss / 10}}

    def test_step(self, data):
        return {"my_distance": self.compute_loss(y=data[1], y_pred=self(data[0]))}


class NamesOfMetrics(OwnNames):
    """Logs the loss of a batch under the name of a metric, of which `fit` then logs the value."""

    def train_step(self, data):
        return {"loss": super().train_step(data)["my_loss"]}


class MoreMetrics(keras.Model):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        found = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**found, "surest": tf.reduce_max(y_pred)}


class SideEffects(OwnNames):
    """Counts its calls in Python, which happens when it is traced and never again."""

    calls = 0

    def train_step(self, data):
        self.calls += 1
        self.seen = data[0]
        return super().train_step(data)


@pytest.mark.parametrize("kind", [OwnNames, NamesOfMetrics, MoreMetrics, SideEffects])
def test_steps_of_the_users_own_log_what_fit_logs(kind, digits_experiment):
    one, other = (train_in(mode, digits_experiment, model=lambda: compiled(kind)) for mode in MODES)
    assert largest_difference(one, other) <= ROUNDING
    names = {"OwnNames": {"my_loss", "tenth", "val_my_distance"}, "MoreMetrics": {"surest", "val_surest", "loss"}}
    assert names.get(kind.__name__, set()) <= set(one.history[0])


def test_a_model_without_targets_trains_by_a_step_of_its_own():
    class Autoencoder(keras.Model):
        def train_step(self, data):
            (x,) = data if isinstance(data, tuple) else (data,)
            return super().train_step((x, x))

        def test_step(self, data):
            (x,) = data if isinstance(data, tuple) else (data,)
            return super().test_step((x, x))

    def model():
        inputs = keras.Input((64,))
        made = Autoencoder(inputs, keras.layers.Dense(64)(keras.layers.Dense(4)(inputs)))
        made.compile("adam", "mse")
        made.optimizer.build(made.trainable_variables)
        return made

    experiment = make_experiment(**DIGITS)
    experiment.data.targets, experiment.data.spec = {}, type(experiment.data.spec)(experiment.data.spec.inputs, {})
    one, other = (train_in(mode, experiment, model=model) for mode in MODES)
    assert one.history[1]["loss"] < one.history[0]["loss"]
    assert largest_difference(one, other) <= ROUNDING


class LooksAtNumbers(OwnNames):
    def train_step(self, data):
        logs = super().train_step(data)
        return {"my_loss": float(logs["my_loss"].numpy())}


def test_a_step_that_cannot_be_traced_fails_in_both_modes_and_runs_eagerly(digits_experiment):
    for mode in MODES:
        with pytest.raises(AttributeError, match="has no attribute 'numpy'"):
            train_in(mode, digits_experiment, model=lambda: compiled(LooksAtNumbers))
    eager = train_in("stepwise", digits_experiment, model=lambda: compiled(LooksAtNumbers, run_eagerly=True))
    traced = train_in("whole_epoch", digits_experiment, model=lambda: compiled(OwnNames))
    assert eager.history[1]["my_loss"] == pytest.approx(traced.history[1]["my_loss"], abs=1e-5)


class CountedResets(keras.metrics.Mean):
    """A metric whose reset does what a graph would do but once."""

    resets = 0

    def reset_state(self):
        CountedResets.resets += 1
        super().reset_state()


@pytest.mark.parametrize("own", [False, True])
def test_metrics_are_reset_in_every_epoch(own):
    experiment = make_experiment(**{**DIGITS, "training": {"epochs": 3, "batch_size": 512}})
    CountedResets.resets = 0

    def model():
        made = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
        made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        if own:
            made.counted = CountedResets()
        return made

    trained = [train_in(mode, experiment, model=model) for mode in ("stepwise", "whole_epoch")]
    assert largest_difference(*trained) <= ROUNDING
    assert CountedResets.resets == (2 * 3 * 2 if own else 0)

import pytest

from dlrun import keras_names
from dlrun.config.metric_names import all_metric_names, metric_name, metric_names, split_name

NEEDED = {"num_classes": 2, "target_class_ids": [0], "specificity": 0.5, "sensitivity": 0.5, "recall": 0.5}
NEEDED |= {"precision": 0.5}
BY_TASK = ("accuracy", "acc")
NAMES = keras_names.names("metrics")
CLASSES = sorted(set(NAMES.values()) - set(BY_TASK))


def required(own):
    parameters = keras_names.signature("metrics", own).parameters
    return {p.name: NEEDED[p.name] for p in parameters if p.required}


def make(own, arguments):
    import keras

    return getattr(keras.metrics, own)(**arguments)


def logged(*entries):
    """The names in the result of Keras' own list of compiled metrics, without those of the loss."""
    import keras
    import numpy as np
    from keras.src.trainers.compile_utils import CompileMetrics

    keras.backend.clear_session(free_memory=False)
    made = [entry if isinstance(entry, str) else make(*next(iter(entry.items()))) for entry in entries]
    compiled = CompileMetrics(made, None)
    targets, outputs = np.array([[0.0], [1.0]]), np.array([[0.5], [0.75]])
    compiled.build(targets, outputs)
    for metric in compiled.metrics:
        metric.result = lambda: 0.0  # some results need a state of their own shape
    return list(compiled.result())


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        (["acc", "MAE", "mean_squared_error"], ["acc", "MAE", "mean_squared_error"]),
        ([{"LogCoshError": {}}, {"FBetaScore": None}], ["logcosh", "fbeta_score"]),
        ([{"mse": {}}], ["mean_squared_error"]),
        ([{"AUC": {"name": "area"}}], ["area"]),
        ([{"AUC": {}}, {"AUC": {"curve": "PR"}}, {"AUC": {}}], ["auc", "auc_1", "auc_2"]),
        ([{"MeanSquaredError": {}}, {"mse": {}}], ["mean_squared_error", "mean_squared_error_1"]),
        (["auc", {"AUC": {}}], ["auc", "auc_1"]),
        ([{"AUC": {"name": "auc"}}, {"AUC": {}}], ["auc", "auc_1"]),
    ],
)
def test_the_name_of_a_metric_in_the_logs(entries, names):
    assert metric_names(entries) == names


def test_a_metric_that_is_not_of_keras_has_a_name_too():
    assert metric_name({"MyOwn": {}}) == "my_own"


def test_every_metric_class_is_logged_under_its_name():
    for own in CLASSES:
        entry = {own: required(own)}
        assert metric_names([entry]) == logged(entry), own


def test_every_string_is_logged_under_its_name():
    for text in NAMES:
        if text in BY_TASK or not required(NAMES[text]):
            assert metric_names([text]) == logged(text), text


def test_equal_names_are_numbered_as_keras_numbers_them():
    for entries in (
        [{"AUC": {}}, {"AUC": {"curve": "PR"}}],
        [{"MeanSquaredError": {}}, {"MeanSquaredError": {}}, "mean_squared_error"],
        ["auc", {"AUC": {}}],
        [{"AUC": {"name": "auc"}}, {"AUC": {}}],
    ):
        assert metric_names(entries) == logged(*entries)


def test_the_names_of_several_outputs_are_those_that_keras_logs():
    import keras
    import numpy as np

    metrics = {"b": ["mae", {"MeanSquaredError": {}}], "a": ["mse", "mse"], "c": []}
    inputs = keras.Input((2,))
    model = keras.Model(inputs, {name: keras.layers.Dense(1)(inputs) for name in metrics})
    made = {
        name: [e if isinstance(e, str) else keras.metrics.MeanSquaredError() for e in metrics[name]] for name in metrics
    }
    model.compile("sgd", dict.fromkeys(metrics, "mse"), metrics=made)
    rows = np.zeros((4, 2))
    history = model.fit(rows, dict.fromkeys(metrics, rows[:, :1]), verbose=0).history
    assert list(history) == sorted(all_metric_names(metrics))


@pytest.mark.parametrize(
    ("logged", "outputs", "expected"),
    [
        ("val_mae", ["y"], ("y", "mae")),
        ("loss", ["y"], ("y", "loss")),
        ("val_age_mae", ["age", "sex"], ("age", "mae")),
        ("age_group_loss", ["age", "age_group"], ("age_group", "loss")),
        ("val_loss", ["age", "sex"], ("", "loss")),
    ],
)
def test_a_logged_name_tells_its_output(logged, outputs, expected):
    assert split_name(logged, outputs) == expected

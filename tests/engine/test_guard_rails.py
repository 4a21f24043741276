"""Each guard rail fires where it should, and keeps quiet about what is sound."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.config.schema import Output, Split
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._prepare import prepare_dataset
from dlrun.engine import guard_rails
from dlrun.engine.guard_rails import after_training, before_training
from dlrun.evaluate import evaluate
from dlrun.events import Note, as_line
from dlrun.spec import Task
from dlrun.train import train

BINARY = Task("binary", labels=("no", "yes"))
RANDOM = np.random.default_rng(1).normal(size=(200, 4)).astype("float32")
HALF = np.arange(200) % 2


def prepared(values=RANDOM, labels=HALF, task=BINARY, kind="head", **fields):
    dataset = Dataset(
        name="made",
        raw={"x": values},
        targets={"y": labels.astype("int32" if task.kind == "multiclass" else "float32")},
        encoder=ArrayEncoder("x", values.shape[1:]),
        tasks={"y": task},
        **fields,
    )
    return prepare_dataset(dataset, split=Split(kind=kind, validation=40, test=40).model_dump(), seed=1, fitted=None)


def small_model(*layers, units=1):
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(units)])


def codes(data=None, model=None, metrics=("accuracy",), loss="binary_crossentropy", **parameters):
    config = SimpleNamespace(data=SimpleNamespace(parameters=parameters))
    output = Output(loss=loss, metrics=list(metrics))
    found = before_training(config, data or prepared(), {"y": output}, model or small_model(keras.layers.Dense(8)))
    return {one.code: one.message for one in found}


def test_classes_whose_loss_takes_rows_of_zeros_and_a_one():
    task = Task("multiclass", labels=("a", "b"), one_hot=True)  # as the task stands after `with_labels_for`
    data = prepared(labels=np.arange(200) % 10 == 0, task=Task("multiclass", labels=("a", "b")))
    data.spec.tasks["y"] = task
    assert "90% of the training rows are a" in codes(data, loss="categorical_crossentropy")["classes"]


def test_sound_data_and_a_sound_model_give_no_finding():
    assert codes() == {}


CLASSES = Task("multiclass", labels=tuple(map(str, range(20))))


def classified(model):
    labels = np.arange(200) % 20
    return codes(prepared(labels=labels, task=CLASSES), model, loss="sparse_categorical_crossentropy")


@pytest.mark.parametrize(("units", "fires"), [(4, True), (9, True), (10, False), (64, False)])
@pytest.mark.parametrize("layer", ["Dense", "LSTM"])
def test_a_hidden_layer_much_narrower_than_the_classes(units, fires, layer):
    layers = (
        [keras.layers.Reshape((2, 2)), keras.layers.LSTM(units)] if layer == "LSTM" else [keras.layers.Dense(units)]
    )
    found = classified(small_model(*layers, units=20))
    assert ("bottleneck" in found) is fires
    if fires:
        assert f"has {units} units for 20 classes" in found["bottleneck"]


def test_a_narrow_layer_with_a_way_around_it_is_no_bottleneck():
    inputs = keras.Input((4,))
    around = keras.layers.Concatenate()([inputs, keras.layers.Dense(1)(inputs)])
    model = keras.Model(inputs, keras.layers.Dense(20)(keras.layers.Dense(30)(around)))
    assert "bottleneck" not in classified(model)


def test_a_number_or_two_classes_need_no_width():
    assert codes(model=small_model(keras.layers.Dense(1))) == {}


def test_a_loss_that_is_not_the_usual_one():
    assert "binary_crossentropy" in codes(loss="mse")["loss"]


@pytest.mark.parametrize(
    ("rare", "metrics", "fires"),
    [
        (20, ["accuracy"], True),
        (20, ["acc", "binary_accuracy"], True),
        (20, ["accuracy", {"AUC": {}}], False),
        (60, ["accuracy"], False),
    ],
)
def test_accuracy_alone_where_one_class_has_most_rows(rare, metrics, fires):
    labels = (np.arange(200) % 200 < rare)[np.random.default_rng(2).permutation(200)]
    found = codes(prepared(labels=labels), metrics=metrics)
    assert ("classes" in found) is fires
    if fires:
        assert "of the training rows are no" in found["classes"]


@pytest.mark.parametrize(("factor", "fires"), [(1, False), (5, False), (300, True)])
def test_a_column_of_large_numbers(factor, fires):
    data = prepared(RANDOM * np.array([1, 1, factor, 1], "float32"))
    found = codes(data, transforms=[])
    assert ("inputs" in found) is fires
    if fires:
        assert found["inputs"].startswith("column 3 of x has numbers of about ")
        assert "-s 'data.transforms=[standardise]'" in found["inputs"]


def test_a_model_that_scales_its_inputs_may_have_large_ones():
    data = prepared(RANDOM * 300)
    assert "inputs" in codes(data)
    assert "inputs" not in codes(data, small_model(keras.layers.Rescaling(1 / 300), keras.layers.Dense(8)))


def repeated(count, part):
    """Training rows put into a held-out part: the first 40 rows validate, the next 40 test."""
    values = RANDOM.copy()
    first = {"validation": 0, "test": 160}[part]
    values[first : first + count] = values[100 : 100 + count]
    return values


@pytest.mark.parametrize("part", ["validation", "test"])
def test_rows_that_train_and_are_held_out(part):
    values = repeated(3, part)
    data = prepared(values)
    assert {100, 101, 102} <= set(data.splits["training"].tolist())
    found = codes(data)
    assert found["duplicates"].startswith(f"3 of 40 {part} rows (7.5%) are training rows too")
    assert "duplicates" not in codes(prepared(repeated(1, part)))


def test_names_tell_equal_rows_of_a_table_apart():
    from dlrun.data._table import TableEncoder

    data = prepared(repeated(5, "validation"))
    assert "duplicates" in codes(data)
    data.encoder = type("Table", (ArrayEncoder,), {"kind": TableEncoder.kind})("x", (4,))
    assert "duplicates" in codes(data)
    data.columns = {"name": np.array([f"name {row}" for row in range(200)], object)}
    assert "duplicates" not in codes(data)


def test_rows_above_the_bound_are_not_compared_which_is_told(monkeypatch):
    monkeypatch.setattr(guard_rails, "MOST_BYTES", 1000)
    assert "were not looked for" in codes(prepared(repeated(5, "test")))["duplicates"]


DAYS = np.array([f"2024-{1 + row // 28:02}-{1 + row % 28:02}" for row in range(200)], object)


@pytest.mark.parametrize(
    ("kind", "column", "fires"),
    [
        ("shuffled", DAYS, True),
        ("stratified", DAYS, True),
        ("head", DAYS, False),
        ("shuffled", np.array([f"person {row}" for row in range(200)], object), False),
        ("shuffled", np.array(["2024-01-01"] * 200, object), False),
        ("shuffled", np.array([f"{row:08}" for row in range(200)], object), False),
        ("shuffled", np.arange(200), False),
        ("shuffled", np.array([None] * 200, object), False),
    ],
)
def test_rows_with_a_date_that_are_split_at_random(kind, column, fires):
    found = codes(prepared(kind=kind, columns={"day": column}))
    assert ("time" in found) is fires
    if fires:
        assert "-s split.kind=time -s 'split.time=day'" in found["time"]


def test_stand_in_data_is_not_judged():
    assert codes(prepared(RANDOM * 300, generated=True)) == {}


def judged(held_out, training, *, callbacks=(), bare="", **fields):
    history = [
        {f"{bare}loss": low, f"val_{bare}loss": high, "loss": low + 1, "val_loss": high + 1}
        | ({} if bare else {"loss": low, "val_loss": high})
        for low, high in zip(training, held_out, strict=True)
    ]
    best = history[int(np.argmin(held_out))]
    metrics = {"validated": True, "monitor": "val_loss", "mode": "min", "best": best, "best_epoch": 3}
    metrics["baselines"] = {"val_loss": 0.7}
    config = SimpleNamespace(
        callbacks=[SimpleNamespace(name=name) for name in callbacks], training=SimpleNamespace(stages=[])
    )
    found = after_training(config, "20261121-1", {**metrics, **fields}, history)
    return {one.code: one.message for one in found}


FALLING = [1 / (3 + epoch) for epoch in range(20)]
LEVEL = [0.3 + (0.01 if epoch != 15 else 0) for epoch in range(20)]
RISING = [0.4, 0.35, 0.3, 0.28, *(0.3 + 0.02 * epoch for epoch in range(16))]


def test_a_run_that_has_levelled_off_above_its_baseline_is_sound():
    assert judged(LEVEL, FALLING) == {}


def test_a_loss_that_still_falls_asks_for_more_epochs():
    assert "dlrun train --resume 20261121-1 -s training.epochs=40" in judged(FALLING, FALLING)["under_fitting"]


def test_over_fitting_is_told_with_its_epoch():
    message = judged(RISING, FALLING)["over_fitting"]
    assert message.startswith("over-fitting since epoch 4: val_loss rose from 0.28 to 0.6 while loss fell")
    assert message.endswith("dlrun retrain 20261121-1 trains for 3 epochs")  # the best by the monitor


@pytest.mark.parametrize("held_out", [FALLING, RISING])
def test_early_stopping_watches_over_the_epochs(held_out):
    assert judged(held_out, FALLING, callbacks=["EarlyStopping"]) == {}


def test_a_few_epochs_and_a_run_without_validation_are_not_judged():
    assert judged(FALLING[:4], FALLING[:4]) == {}
    assert judged(RISING, FALLING, validated=False) == {}


@pytest.mark.parametrize(
    ("monitor", "mode", "level", "fires"),
    [
        ("val_loss", "min", 0.2, True),
        ("val_loss", "min", 0.4, False),
        ("val_accuracy", "max", 0.9, True),
        ("val_accuracy", "max", 0.5, False),
        ("val_mae", "min", None, False),
    ],
)
def test_a_best_epoch_no_better_than_knowing_nothing(monitor, mode, level, fires):
    best = {"val_loss": 0.3, "val_accuracy": 0.8, "val_mae": 1.0}
    levels = {} if level is None else {monitor: level}
    found = judged(LEVEL, FALLING, monitor=monitor, mode=mode, best=best, baselines=levels)
    assert ("baseline" in found) is fires


def test_penalties_are_left_out_where_they_are_known():
    best = {"val_loss": 0.9, "val_bare_loss": 0.3}
    levels = {"val_loss": 0.7, "val_bare_loss": 0.7}
    assert judged(LEVEL, FALLING, bare="bare_", best=best, baselines=levels) == {}
    assert "val_bare_loss" in judged(RISING, FALLING, bare="bare_", best=best, baselines=levels)["over_fitting"]


def test_findings_are_notes_and_stay_in_the_run_once(digits, outputs):
    events = []
    config = digits(
        model={"name": "mlp", "hidden": [2]}, training={"epochs": 1, "batch_size": 300, "tensorboard": False}
    )
    run = train(config, outputs=outputs, on_event=events.append)
    (warning,) = run.record()["warnings"]
    (note,) = [event for event in events if isinstance(event, Note) and event.code]
    assert (warning["code"], warning["message"]) == (note.code, note.message) == ("bottleneck", note.message)
    assert as_line(note) == f"note: {note.message} [guard: bottleneck]"
    assert as_line(note) in run.log_file.read_text()
    train(load_config(run.config_file, ["training.epochs=2"]), resume=run)
    assert run.record()["warnings"] == [warning]
    for _ in range(3):  # the second reading of test is one too many
        evaluate(load_config(run.config_file), run.model_file("best"), run=run)
    assert [one["code"] for one in run.record()["warnings"]] == ["bottleneck", "test"]


def test_a_sound_run_has_no_warnings(digits_run):
    assert digits_run.record().get("warnings", []) == []

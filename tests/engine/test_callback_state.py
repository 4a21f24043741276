import json

import keras
import numpy as np
import pytest

from dlrun.engine.callback_state import CallbackStates, callback_state, set_callback_state, unsaved_state


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Normalization(axis=None)])
    made.compile(keras.optimizers.Adam(use_ema=True), "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def test_the_state_of_callbacks_is_kept_without_their_settings(model):
    callback = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"val_loss": 1.0})
    callback.on_epoch_end(1, {"val_loss": 2.0})
    scalars, lists = callback_state(callback)
    assert scalars["wait"] == 1
    assert scalars["best"] == 1.0
    assert "patience" not in scalars
    other = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    set_callback_state(other, scalars, lists)
    assert (other.wait, other.best) == (1, 1.0)
    np.testing.assert_array_equal(other.best_weights[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("callback", "remembered"),
    [
        (keras.callbacks.EarlyStopping(patience=5), {"wait": 1, "best": 1.0}),
        (keras.callbacks.ReduceLROnPlateau(patience=5), {"wait": 1, "best": 1.0}),
        (keras.callbacks.ModelCheckpoint("x.keras", save_best_only=True, save_freq=9), {"_last_batch_seen": 1}),
        (keras.callbacks.SwapEMAWeights(swap_on_epoch=True), {"_ema_weights_in_model": True}),
        (keras.callbacks.TerminateOnNaN(), {}),
        (keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), {}),
        (keras.callbacks.LambdaCallback(on_epoch_end=print), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_callbacks_of_keras_remember_is_saved_as_json(model, callback, remembered, capsys):
    callback.set_model(model)
    callback.set_params({"epochs": 3})
    callback.on_train_begin()
    for epoch in range(2):
        callback.on_epoch_begin(epoch)
        for batch in range(2):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0})
    values, _ = callback_state(callback)
    assert values.items() >= remembered.items()
    assert json.loads(json.dumps(values)) == values
    assert unsaved_state([callback]) == []


class Mine(keras.callbacks.Callback):
    """Remembers what is like JSON, and what is not."""

    def __init__(self):
        super().__init__()
        self.rows = [{"loss": 1.0}]
        self.function = print
        self.array = np.ones(2)
        self.numbered = {1: "a"}


class Giving(Mine):
    """Gives its state itself."""

    def state_dict(self):
        return {"rows": self.rows}

    def load_state_dict(self, state):
        self.rows = state["rows"]


def test_what_cannot_be_saved_is_named():
    assert [sentence.partition(",")[0] for sentence in unsaved_state([Mine(), keras.callbacks.CSVLogger("x")])] == [
        "Mine keeps `array` as ndarray",
        "Mine keeps `numbered` as dict",
    ]
    assert unsaved_state([Giving()]) == []


@pytest.mark.parametrize("kind", [Mine, Giving])
def test_a_saved_state_is_not_changed_by_what_follows(kind):
    callback = kind()
    states = CallbackStates.of([callback])
    callback.rows.append({"loss": 2.0})
    callback.rows[0]["loss"] = 3.0
    assert states.entries[0]["state"]["rows"] == [{"loss": 1.0}]
    values, lists = callback_state(callback)
    other = kind()
    set_callback_state(other, values, lists)
    callback.rows.clear()
    assert len(other.rows) == 2

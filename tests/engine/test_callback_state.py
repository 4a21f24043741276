import keras
import numpy as np
import pytest

from dlrun.engine.callback_state import callback_state, set_callback_state


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    made.compile("adam", "mse")
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

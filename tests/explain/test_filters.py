import keras
import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.errors import ConfigError
from dlrun.explain import Options, explain
from dlrun.explain.filters import Climb, grey_noise


def striped_model():
    """Filters that answer to rows, to columns, and to nothing."""
    inputs = keras.Input((12, 12, 1))
    layer = keras.layers.Conv2D(3, 2, activation="relu", name="stripes")
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(layer(inputs))))
    rows = np.array([[1.0, 1.0], [-1.0, -1.0]])
    layer.set_weights([np.stack([rows, rows.T, rows * 0], axis=-1)[:, :, None], np.zeros(3)])
    return model


def test_pictures_climb_to_what_each_filter_answers_to():
    model, noise = striped_model(), grey_noise((12, 12, 1), 0.0, 1.0, seed=1)
    pictures, dead = Climb(model, model.get_layer("stripes"), 1 / 255).run(noise, [0, 1, 2], 40)
    assert dead == [2]
    inner = pictures[:2, 2:-2, 2:-2, 0]
    across, along = np.abs(np.diff(inner, axis=1)).mean(axis=(1, 2)), np.abs(np.diff(inner, axis=2)).mean(axis=(1, 2))
    assert across[0] > 2 * along[0]
    assert along[1] > 2 * across[1]


def test_filters_together_climb_as_each_alone():
    model, noise = striped_model(), grey_noise((12, 12, 1), 0.0, 1.0, seed=1)
    climb = Climb(model, model.get_layer("stripes"), 1 / 255)
    together, _ = climb.run(noise, [0, 1], 5)
    for place, number in enumerate([0, 1]):
        np.testing.assert_allclose(together[place], climb.run(noise, [number], 5)[0][0], atol=1e-5)


def test_pictures_may_be_larger_than_those_of_training_also_before_a_nested_base(patches):
    run = patches["nested"]
    options = Options(what=["filters"], layers=["shapes"], size=40, steps=2, filters=3)
    (only,) = explain(run, load_config(run.config_file), [], options).written
    assert only.facts["shape"] == [40, 40, 1]
    assert only.facts["filters"] == [0, 1, 2]


def test_too_small_pictures_are_told(patches):
    run = patches["nested"]
    with pytest.raises(ConfigError, match=r"pictures of 3 pixels do not reach 'shapes'"):
        explain(run, load_config(run.config_file), [], Options(what=["filters"], layers=["shapes"], size=3))


def test_noise_lies_just_above_the_middle_of_the_range_of_the_inputs():
    noise = grey_noise((5, 5, 3), -1.0, 1.0, seed=0)
    assert 0 <= noise.min() < noise.max() <= 2 * 20 / 255

import keras
import numpy as np
import pytest
from known_data import PATCH, patched_pictures

from dlrun.config.loading import load_config
from dlrun.explain import Options, explain
from dlrun.explain._scores import Scorer
from dlrun.explain.saliency import input_gradients
from dlrun.spec import Task


def linear_model(activation, units=3):
    inputs = keras.Input((2, 2, 1))
    return keras.Model(
        inputs, keras.layers.Dense(units, activation=activation, name="y")(keras.layers.Flatten()(inputs))
    )


def test_the_slope_of_a_logit_is_the_weight_of_its_class():
    model, task = linear_model("softmax"), Task("multiclass", ("a", "b", "c"))
    scorer = Scorer(model, "y", task, None, "logit")
    slopes = input_gradients(model, np.ones((2, 2, 2, 1), "float32"), scorer, np.array([2, 0]))
    kernel = model.get_layer("y").get_weights()[0]
    np.testing.assert_allclose(slopes.reshape(2, 4), kernel[:, [2, 0]].T, atol=1e-6)


def test_a_sure_probability_has_almost_no_slope_which_is_why_logits_are_the_default():
    model, task = linear_model("softmax"), Task("multiclass", ("a", "b", "c"))
    model.get_layer("y").set_weights([np.eye(4, 3) * 20, np.zeros(3)])
    inputs = np.array([[[[1.0], [0.0]], [[0.0], [0.0]]]], "float32")
    slopes = {
        target: np.abs(input_gradients(model, inputs, Scorer(model, "y", task, None, target), np.array([0]))).max()
        for target in ("logit", "probability")
    }
    assert slopes["logit"] == pytest.approx(20)
    assert slopes["probability"] < 1e-5


@pytest.mark.parametrize(
    ("activation", "loss"), [("sigmoid", None), (None, {"BinaryCrossentropy": {"from_logits": True}})]
)
def test_the_first_of_two_classes_has_the_slope_of_the_second_turned_round(activation, loss):
    model, task = linear_model(activation, units=1), Task("binary", ("no", "yes"))
    for target in ("logit", "probability"):
        scorer = Scorer(model, "y", task, loss, target)
        first, second = input_gradients(model, np.ones((2, 2, 2, 1), "float32"), scorer, np.array([0, 1]))
        np.testing.assert_allclose(first, -second, rtol=1e-5)
        if target == "logit":
            np.testing.assert_allclose(second.ravel(), model.get_layer("y").get_weights()[0].ravel(), rtol=1e-5)


def test_without_a_last_activation_of_its_own_probabilities_are_explained_with_a_note():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Average()([keras.layers.Dense(1, activation="sigmoid")(inputs)] * 2))
    assert "probabilities are explained" in Scorer(model, "y", Task("binary", ("no", "yes")), None, "logit").note


def test_the_picture_moves_most_on_the_patch(patches):
    run = patches["nested"]
    found = explain(run, load_config(run.config_file), [], Options(what=["saliency"], samples=40)).written
    places = patched_pictures()[2]
    hits = []
    for one in found:
        if one.facts["truth"] == "patch":
            beyond = np.array(one.facts["strongest"]) - places[int(one.of.split()[1]) - 1]
            hits.append(bool((beyond >= 0).all() and (beyond < PATCH).all()))
    assert np.mean(hits) > 0.6  # a patch covers 6 % of a picture


@pytest.mark.parametrize("last", [keras.layers.Softmax(), keras.layers.Activation("softmax"), keras.ops.softmax])
def test_a_last_activation_of_any_form_is_left_out_and_put_back(last):
    inputs = keras.Input((2, 2, 1))
    logits = keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(inputs))
    model, task = keras.Model(inputs, last(logits)), Task("multiclass", ("a", "b", "c"))
    scorer = Scorer(model, "y", task, None, "logit")
    pictures = np.ones((1, 2, 2, 1), "float32")
    slopes = input_gradients(model, pictures, scorer, np.array([1]))
    np.testing.assert_allclose(slopes.ravel(), model.get_layer("logits").get_weights()[0][:, 1], atol=1e-6)
    assert model.predict(pictures, verbose=0).sum() == pytest.approx(1)
    assert scorer.note == ""

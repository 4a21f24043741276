import keras
import numpy as np
import pytest
from two_modes import make_experiment, train_in

from dlrun.engine.feeding import targets_for_model
from dlrun.engine.resolve import build_model
from dlrun.engine.weighting import class_weights, sample_weights
from dlrun.errors import ConfigError
from dlrun.seeds import child_seed

BALANCED = {"epochs": 2, "batch_size": 40, "shuffle": False, "class_weight": "balanced"}
MLP = {"name": "mlp", "hidden": [4]}


@pytest.mark.parametrize("data", ["digits", "breast_cancer"])
def test_weighted_rows_learn_as_the_class_weights_of_keras(data):
    experiment = make_experiment(data=data, model=MLP, training=BALANCED, split={"validation": 0, "test": 0.7})
    own = train_in("whole_epoch", experiment)

    keras.utils.set_random_seed(child_seed(experiment.config.seed, "init"))
    prepared, rows, weights = experiment.data, experiment.data.splits["training"], class_weights(experiment)
    ((name, task),) = prepared.spec.tasks.items()
    model = build_model(experiment.config.model, prepared.spec)
    model.compile("rmsprop", task.head.loss, jit_compile=False)
    inputs = np.asarray(prepared.encoder.batch(prepared.arrays, rows))
    targets = targets_for_model(prepared.targets[name], task)[rows]
    fitted = model.fit(inputs, targets, batch_size=40, epochs=2, shuffle=False, class_weight=weights, verbose=0)

    assert len(set(weights.values())) > 1
    assert [row["loss"] for row in own.history] == pytest.approx(fitted.history["loss"], rel=1e-5)
    for one, other in zip(own.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_stated_weights_go_by_label_and_others_weigh_one():
    experiment = make_experiment(data="digits", model=MLP, training={"class_weight": {"3": 2.5}})
    found = sample_weights(experiment)
    digits = experiment.data.targets["digit"]
    np.testing.assert_array_equal(found, np.where(digits == 3, np.float32(2.5), np.float32(1)))


def test_balanced_weights_count_the_training_part_only():
    experiment = make_experiment(data="iris", model=MLP, training={"class_weight": "balanced"}, split={"kind": "head"})
    labels = experiment.data.targets["species"][experiment.data.splits["training"]].astype(int)
    counts = np.bincount(labels, minlength=3)
    wanted = {k: len(labels) / (3 * count) if count else 1.0 for k, count in enumerate(counts.tolist())}
    assert len(set(counts.tolist())) > 1
    assert class_weights(experiment) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("data", "weight", "message"),
    [
        ("diabetes", "balanced", "class weights need classes, the task is regression"),
        ("digits", {"eleven": 2.0}, "there is no label 'eleven'"),
        ({"name": "social_posts", "people": 50}, "balanced", "class weights need one task"),
    ],
)
def test_weights_that_cannot_be_are_refused(data, weight, message):
    experiment = make_experiment(data=data, model=MLP)
    training = experiment.config.training.model_copy(update={"class_weight": weight})
    experiment.config = experiment.config.model_copy(update={"training": training})
    with pytest.raises(ConfigError, match=message):
        sample_weights(experiment)

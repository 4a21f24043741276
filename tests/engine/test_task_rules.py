import pytest

from dlrun.engine.task_rules import check_loss, check_metrics, wants_one_hot
from dlrun.errors import ConfigError
from dlrun.spec import Task

BINARY = Task("binary", ("no", "yes"))
CLASSES = Task("multiclass", ("a", "b", "c"))
ONE_HOT = Task("multiclass", ("a", "b", "c"), one_hot=True)
SPARSE, ROWS = "sparse_categorical_crossentropy", "categorical_crossentropy"


@pytest.mark.parametrize(
    ("loss", "task"),
    [
        ("binary_crossentropy", CLASSES),
        ("sparse_categorical_crossentropy", ONE_HOT),
        ("categorical_crossentropy", BINARY),
        ({"CategoricalCrossentropy": {"label_smoothing": 0.1}}, BINARY),
        ("sparse_categorical_crossentropy", Task("multilabel", ("a", "b"))),
        ("binary_crossentropy", Task("regression")),
        ("hinge", Task("regression")),
    ],
)
def test_a_loss_that_cannot_learn_the_task_is_refused(loss, task):
    with pytest.raises(ConfigError, match="does not fit the data"):
        check_loss(loss, task)


@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", "mse", {"BinaryCrossentropy": {"label_smoothing": 0.1}}, "hinge"]
)
def test_other_losses_for_two_classes_are_let_through(loss):
    check_loss(loss, BINARY)


@pytest.mark.parametrize(("loss", "wanted"), [(SPARSE, False), (ROWS, True), ("mse", True), ({"Hinge": {}}, True)])
def test_only_sparse_losses_take_integer_classes(loss, wanted):
    assert wants_one_hot(loss, CLASSES) is wanted
    assert not wants_one_hot(loss, BINARY)


@pytest.mark.parametrize(
    ("metric", "loss", "task"),
    [
        ("accuracy", "mse", Task("regression")),
        ({"AUC": {}}, "mse", Task("regression")),
        ("categorical_accuracy", "binary_crossentropy", BINARY),
        ("binary_accuracy", SPARSE, CLASSES),
        ({"AUC": {}}, SPARSE, CLASSES),
        ("F1Score", SPARSE, CLASSES),
        ("sparse_categorical_accuracy", ROWS, CLASSES),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_with_its_place(metric, loss, task):
    with pytest.raises(ConfigError, match="does not fit") as caught:
        check_metrics(["accuracy" if task.classifies else "mae", metric], loss, task)
    assert [problem.key for problem in caught.value.problems] == [("metrics", 1)]


@pytest.mark.parametrize(
    ("metric", "loss", "task"),
    [
        ({"AUC": {}}, "binary_crossentropy", BINARY),
        ({"AUC": {}}, ROWS, CLASSES),
        ("accuracy", SPARSE, CLASSES),
        ("sparse_top_k_categorical_accuracy", SPARSE, CLASSES),
        ("mse", "mse", Task("regression")),
    ],
)
def test_metrics_that_can_be_computed_are_let_through(metric, loss, task):
    check_metrics([metric], loss, task)

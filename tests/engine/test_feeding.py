import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.config.training_schema import Training
from dlrun.engine.feeding import Feeder, sample_order, targets_for_model
from dlrun.engine.pipelines import batches_in_order, training_batches
from dlrun.engine.resolve import load_data
from dlrun.spec import Task


def test_the_order_is_a_function_of_seed_and_epoch():
    rows = np.arange(100, 200)
    first = sample_order(rows, Training(), seed=1, epoch=0)
    np.testing.assert_array_equal(first, sample_order(rows, Training(), seed=1, epoch=0))
    np.testing.assert_array_equal(np.sort(first), rows)
    assert (first != sample_order(rows, Training(), seed=1, epoch=1)).any()
    assert (first != sample_order(rows, Training(), seed=2, epoch=0)).any()


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("steps", [1, 3, 9])
def test_epochs_of_stated_length_go_on_where_the_last_one_stopped(shuffle, steps):
    rows = np.arange(100, 120)
    whole, part = Training(shuffle=shuffle), Training(shuffle=shuffle, batch_size=8, steps_per_epoch=steps)
    passes = np.concatenate([sample_order(rows, whole, 1, epoch) for epoch in range(20)])
    found = [sample_order(rows, part, 1, epoch) for epoch in range(5)]
    assert [len(one) for one in found] == [8 * steps] * 5
    np.testing.assert_array_equal(np.concatenate(found), passes[: 40 * steps])


def test_draws_with_replacement_are_even_and_a_function_of_seed_and_epoch():
    rows = np.arange(100, 110)
    training = Training(draws="with_replacement", batch_size=100, steps_per_epoch=100)
    first = sample_order(rows, training, 1, 0)
    np.testing.assert_array_equal(first, sample_order(rows, training, 1, 0))
    assert (first != sample_order(rows, training, 1, 1)).any()
    values, counts = np.unique(first, return_counts=True)
    np.testing.assert_array_equal(values, rows)
    assert abs(counts - 1000).max() < 120  # four standard deviations of a binomial count
    assert len(sample_order(rows, Training(draws="with_replacement"), 1, 0)) == 10


@pytest.mark.parametrize(
    ("task", "targets", "dtype", "shape"),
    [
        (Task("binary", ("a", "b")), np.array([0, 1]), "float32", (2, 1)),
        (Task("multiclass", ("a", "b", "c")), np.array([[0], [2]]), "int32", (2,)),
        (Task("multiclass", ("a", "b"), one_hot=True), np.eye(2), "float32", (2, 2)),
        (Task("regression", outputs=2), np.ones((2, 2)), "float32", (2, 2)),
    ],
)
def test_targets_come_in_the_shape_that_keras_wants(task, targets, dtype, shape):
    found = targets_for_model(targets, task)
    assert (found.dtype, found.shape) == (dtype, shape)


def test_batches_hold_the_rows_asked_for_with_their_targets():
    data = load_data(config_from_mapping({"data": "digits"}))
    rows = data.splits["validation"][:10]
    batches = list(batches_in_order(Feeder.of(data), rows, 4))
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    inputs = np.concatenate([np.asarray(x) for x, _ in batches])
    np.testing.assert_allclose(inputs, data.arrays["pixels"][rows] / 16.0)
    np.testing.assert_array_equal(np.concatenate([np.asarray(y) for _, y in batches]), data.targets["digit"][rows])


def test_each_pass_asks_for_a_new_order():
    data = load_data(config_from_mapping({"data": "digits"}))
    orders = iter([(np.array([3, 1]), 0, 0), (np.array([2, 0]), 0, 0)])
    pipeline = training_batches(Feeder.of(data), lambda: next(orders), 2, 2)
    for expected in ([3, 1], [2, 0]):
        ((_, targets),) = list(pipeline)
        np.testing.assert_array_equal(targets, data.targets["digit"][expected])

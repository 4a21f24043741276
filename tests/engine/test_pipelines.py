from itertools import chain

import keras
import numpy as np
import pytest
from two_modes import write_files

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.data._arrays import ArrayEncoder
from dlrun.engine import checkpointing
from dlrun.engine.feeding import BatchSeed, Feeder
from dlrun.engine.pipelines import batches_in_order, training_batches
from dlrun.evaluate import evaluate
from dlrun.predict import predict
from dlrun.train import train

ROWS = np.array([7, 2, 2, 9, 0, 5, 1])


class Noisy(ArrayEncoder):
    def augment(self, inputs, seed):
        return inputs + keras.random.normal(keras.ops.shape(inputs), seed=seed)


@pytest.fixture
def feeders(tmp_path):
    """Two feeders of the same ten rows: one has them in memory, the other in a file."""
    values, targets = np.arange(30, dtype="uint8").reshape(10, 3), {"y": np.arange(10, dtype="float32")[:, None]}
    values.tofile(tmp_path / "values.bin")
    mapped = np.memmap(tmp_path / "values.bin", "uint8", "r", shape=(10, 3))
    encoder = Noisy("x", (3,), dtype="uint8", divide_by=3.0)
    weights = np.linspace(0, 1, 10)
    return [Feeder(encoder, {"x": array}, targets, weights=weights) for array in (values, mapped)]


def as_arrays(batches):
    return [[np.asarray(part) for part in (batch if isinstance(batch, tuple) else (batch,))] for batch in batches]


def assert_same(one, other):
    assert [[part.shape for part in batch] for batch in one] == [[part.shape for part in batch] for batch in other]
    for first, second in zip(chain(*one), chain(*other), strict=True):
        np.testing.assert_array_equal(first, second)


def test_rows_from_a_file_make_the_same_batches_as_rows_in_memory(feeders):
    assert [feeder.streams for feeder in feeders] == [False, True]
    one, other = (as_arrays(training_batches(feeder, lambda: (ROWS, 5, 0), 7, 3)) for feeder in feeders)
    assert [len(batch[0]) for batch in one] == [3, 3, 1]
    assert [len(batch) for batch in one] == [3, 3, 3]
    assert_same(one, other)
    assert_same(*(as_arrays(batches_in_order(feeder, ROWS, 3)) for feeder in feeders))
    assert_same(*(as_arrays(batches_in_order(feeder, ROWS, 3, "inputs")) for feeder in feeders))
    np.testing.assert_array_equal(np.asarray(feeders[0].inputs(ROWS)), np.asarray(feeders[1].inputs(ROWS)))


def test_only_training_is_augmented_and_weighted(feeders):
    (validated,) = as_arrays(batches_in_order(feeders[0], ROWS, 7))
    assert len(validated) == 2
    np.testing.assert_allclose(validated[0], (np.arange(30).reshape(10, 3) / 3)[ROWS], rtol=1e-6)
    (trained,) = as_arrays(training_batches(feeders[0], lambda: (ROWS, 5, 0), 7, 7))
    assert np.abs(trained[0] - validated[0]).min() > 0
    np.testing.assert_allclose(trained[2], np.linspace(0, 1, 10)[ROWS], rtol=1e-6)


def test_augmentation_is_a_function_of_the_seed_of_the_epoch_and_the_step(feeders):
    rows = np.zeros(4, int)
    first, again, other = (
        np.concatenate(
            [batch[0] for batch in as_arrays(training_batches(feeders[0], lambda s=seed: (rows, s, 0), 4, 2))]
        )
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert (first[:2] != first[2:]).all()


def test_a_batch_draws_different_seeds_one_after_the_other():
    seed = BatchSeed(np.array([3, 4], "int32"))
    drawn = [tuple(np.asarray(seed.next()).tolist()) for _ in range(3)]
    assert len(set(drawn)) == 3
    assert {step for _, step in drawn} == {4}


@pytest.mark.parametrize("number", [0, 1])
def test_a_pipeline_that_begins_later_gives_the_later_batches(feeders, number):
    whole = as_arrays(training_batches(feeders[number], lambda: (ROWS, 5, 0), 7, 3))
    rest = iter(training_batches(feeders[number], lambda: (ROWS, 5, 1), 7, 3))
    assert_same(as_arrays([next(rest), next(rest)]), whole[1:])


def test_a_run_on_images_in_a_file_equals_one_on_images_in_memory(outputs, tmp_path, monkeypatch):
    folder, read = write_files(tmp_path), []
    gather = Feeder.gather
    monkeypatch.setattr(Feeder, "gather", lambda self, rows: (read.append(len(rows)), gather(self, rows))[1])
    runs = []
    for limit in (0, 100):
        data = {
            "name": "image_folder",
            "path": str(folder / "pets"),
            "height": 8,
            "width": 8,
            "memory_limit_mib": limit,
        }
        config = config_from_mapping(
            {
                "name": "pets",
                "data": data,
                "model": {"name": "convnet", "filters": [4], "hidden": [4], "dropout": 0.3},
                "training": {"epochs": 2, "batch_size": 7, "tensorboard": False},
                "runtime": {"execution": "stepwise", "jit_compile": False},
            }
        )
        runs.append(train(config, outputs=outputs))
    assert runs[0].history() == runs[1].history()
    ends = [checkpointing.read(run.checkpoint).arrays for run in runs]
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    found = [evaluate(load_config(run.config_file), run.model_file("best"), run=run).score for run in runs]
    assert found[0].values == pytest.approx(found[1].values)
    rows = [predict(run, load_config(run.config_file)).rows for run in runs]
    assert rows[0] == rows[1]
    assert 6 < max(read) <= 8  # never more than a batch at a time

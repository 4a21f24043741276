import keras
import pytest

from dlrun.engine import checkpointing
from dlrun.engine.checkpointing import Progress
from dlrun.errors import RunDirError


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def _save(folder, model, epochs):
    progress = Progress([{"loss": 1.0}] * epochs, [0.1] * epochs, 1, model.get_weights())
    checkpointing.save(folder, model, [], progress)


def test_two_generations_are_kept_newest_first(tmp_path, model):
    for epochs in (1, 2, 3):
        _save(tmp_path, model, epochs)
    assert [path.name for path in checkpointing.generations(tmp_path)] == ["000003", "000002"]
    assert checkpointing.read(tmp_path).epoch == 3


def test_seed_generators_and_the_optimizer_are_part_of_it(tmp_path, model):
    _save(tmp_path, model, 1)
    groups = checkpointing.state_variables(model)
    assert len(groups["model"]) == 3
    assert len(groups["optimizer0"]) > 2


@pytest.mark.parametrize("name", ["state.json", "arrays.npz"])
@pytest.mark.parametrize("keep", [0, 40])
def test_a_truncated_generation_is_passed_over(tmp_path, model, name, keep):
    for epochs in (1, 2):
        _save(tmp_path, model, epochs)
    file = tmp_path / "000002" / name
    file.write_bytes(file.read_bytes()[:keep])
    assert checkpointing.read(tmp_path).epoch == 1


def test_no_whole_generation_is_a_clear_error(tmp_path):
    with pytest.raises(RunDirError, match="there is no whole checkpoint"):
        checkpointing.read(tmp_path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path, model):
    _save(tmp_path, model, 1)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    with pytest.raises(RunDirError, match="has other variables than this config builds"):
        checkpointing.restore(checkpointing.read(tmp_path), other, [])

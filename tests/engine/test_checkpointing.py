import json
import os
import pathlib

import keras
import numpy as np
import pytest

from dlrun.engine import checkpointing
from dlrun.engine.progress import Progress
from dlrun.engine.restoring import restore
from dlrun.engine.variables import state_variables
from dlrun.errors import RunDirError


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def _save(folder, model, epochs):
    progress = Progress([{"loss": 1.0}] * epochs, [0.1] * epochs, 1, model.get_weights())
    checkpointing.save(checkpointing.take(folder, model, [], progress))


def test_two_generations_are_kept_newest_first(tmp_path, model):
    for epochs in (1, 2, 3):
        _save(tmp_path, model, epochs)
    assert [path.name for path in checkpointing.generations(tmp_path)] == ["000003", "000002"]
    assert checkpointing.read(tmp_path).epoch == 3


def test_seed_generators_and_the_optimizer_are_part_of_it(tmp_path, model):
    _save(tmp_path, model, 1)
    groups = state_variables(model)
    assert len(groups["model"]) == 3
    assert len(groups["optimizer0"]) > 2


@pytest.mark.parametrize("name", ["state.json", "state.sha256", "arrays.npz"])
@pytest.mark.parametrize("damage", ["empty", "cut", "one byte less", "garbage", "missing", "folder"])
def test_a_damaged_generation_is_passed_over_and_removed_when_the_run_goes_on(tmp_path, model, name, damage):
    for epochs in (1, 2):
        _save(tmp_path, model, epochs)
    file = tmp_path / "000002" / name
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage != "missing":
        pieces = {"empty": b"", "cut": content[:40], "one byte less": content[:-1], "garbage": b"\0\xff{]" * 99}
        file.write_bytes(pieces[damage])
    found = checkpointing.read(tmp_path)
    assert found.epoch == 1
    checkpointing.remove_newer(tmp_path, found)
    assert [path.name for path in checkpointing.generations(tmp_path)] == ["000001"]


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("history"),
        lambda state: state.update(history=5),
        lambda state: state.update(best_epoch=7),
        lambda state: state["history"][0].update(loss=2.0),
    ],
    ids=["a key is missing", "a wrong type", "an epoch that is not there", "another value"],
)
def test_a_state_that_was_changed_is_passed_over(tmp_path, model, change):
    for epochs in (1, 2):
        _save(tmp_path, model, epochs)
    file = tmp_path / "000002" / "state.json"
    state = json.loads(file.read_text())
    change(state)
    file.write_text(json.dumps(state))
    assert checkpointing.read(tmp_path).epoch == 1


def test_no_whole_generation_is_an_error_that_tells_what_was_tried_and_why(tmp_path, model):
    for epochs in (1, 2):
        _save(tmp_path, model, epochs)
    (tmp_path / "000001" / "arrays.npz").write_bytes(b"PK")
    (tmp_path / "000002" / "state.json").write_text("{}")
    with pytest.raises(RunDirError, match="there is no whole checkpoint") as caught:
        checkpointing.read(tmp_path)
    assert "000002: 'format'" in str(caught.value)
    assert "000001: " in str(caught.value)
    assert f"remove {tmp_path}, and the run is computed again from its start" in str(caught.value)


def test_a_newer_format_is_refused(tmp_path, model):
    _save(tmp_path, model, 1)
    (tmp_path / "000001" / "state.json").write_text('{"format": 99}')
    with pytest.raises(RunDirError, match="has format 99"):
        checkpointing.read(tmp_path)


def test_a_generation_of_the_first_format_is_read_as_the_end_of_an_epoch(tmp_path, model):
    _save(tmp_path, model, 1)
    file = tmp_path / "000001" / "state.json"
    state = {
        key: value for key, value in json.loads(file.read_text()).items() if key not in ("step", "elapsed", "logs")
    }
    file.write_text(json.dumps({**state, "format": 1}))
    (tmp_path / "000001" / "state.sha256").unlink()
    assert checkpointing.read(tmp_path).step == 0
    assert restore(checkpointing.read(tmp_path), model, []).epochs == 1


@pytest.mark.parametrize("operation", ["mkdir", "open", "write", "fsync", "rename"])
@pytest.mark.parametrize("again", [False, True], ids=["a new generation", "one in the place of another"])
def test_a_failed_write_leaves_the_older_generations_and_nothing_else(tmp_path, model, monkeypatch, operation, again):
    _save(tmp_path, model, 1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "000001").iterdir()}

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if operation in ("mkdir", "open", "rename"):
            name, real = operation, getattr(pathlib.Path, operation)
            failing = ("state.json",) if operation == "open" else (".000001.tmp", ".000002.tmp")
            patch.setattr(pathlib.Path, name, lambda at, *a, **k: (full if at.name in failing else real)(at, *a, **k))
        else:
            patch.setattr(*{"write": (np, "savez"), "fsync": (os, "fsync")}[operation], full)
        with pytest.raises(RunDirError, match=r"checkpoint .* cannot be written: No space left on device"):
            _save(tmp_path, model, 1 if again else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["000001"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "000001").iterdir()} == before
    assert checkpointing.read(tmp_path).epoch == 1


def test_a_checkpoint_of_another_model_is_refused(tmp_path, model):
    _save(tmp_path, model, 1)
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    with pytest.raises(RunDirError, match="has other variables than this config builds"):
        restore(checkpointing.read(tmp_path), other, [])


def test_a_state_on_each_device_needs_as_many_devices(tmp_path, model):
    _save(tmp_path, model, 1)
    before = checkpointing.read(tmp_path)
    assert before.state["devices"] == 1
    before.state["devices"] = 2
    restore(before, model, [])  # no variable has a value for each device
    before.arrays["model/3"] = np.zeros(3)
    with pytest.raises(RunDirError, match=r"2 devices shared each batch(.|\n)*received +1 devices"):
        restore(before, model, [])

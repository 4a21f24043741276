"""Runs that do not go on exactly say so, before training; logs of callbacks go on with any run."""

import json

import keras
import pytest

from dlrun.config.loading import load_config
from dlrun.engine import callbacks as engine_callbacks
from dlrun.engine.exactness import differences_between_sessions
from dlrun.events import Note
from dlrun.train import train

VERSIONS = {"python": "3.11.7", "keras": "3.15.0", "tensorflow": "2.21.0", "jax": "0.4", "numpy": "2.0"}
RECORD = {"device": "CPU", "threads": 2, "machine": {"cpu": "A", "cores": 2}, "versions": VERSIONS}


@pytest.mark.parametrize(
    ("session", "told"),
    [
        ({}, []),
        ({"threads": 4}, ["threads 2 then, 4 now"]),
        ({"device": "GPU"}, ["device CPU then, GPU now"]),
        ({"machine": {"cpu": "B"}}, ["processor A then, B now"]),
        ({"machine": {"cpu": "A", "cores": 8}}, []),
        ({"versions": {**VERSIONS, "keras": "3.16.0"}}, ["keras 3.15.0 then, 3.16.0 now"]),
        (
            {"versions": {"keras": "3.15.0", **{name: VERSIONS[name] for name in ("python", "tensorflow", "jax")}}},
            ["numpy 2.0 then, absent now"],
        ),
        ({"versions": {**VERSIONS, "jax": "0.5"}}, []),
        ({"folder": "/elsewhere", "variables": {"OMP_NUM_THREADS": "2"}}, []),
    ],
)
def test_what_may_change_the_last_bits_since_the_first_session_is_told(session, told):
    assert differences_between_sessions({**RECORD, "sessions": [{}, session]}, "tensorflow") == told


@pytest.mark.parametrize("record", [{}, {"sessions": []}, {"sessions": [3]}, {"sessions": [{"versions": 3}]}])
def test_a_damaged_record_tells_nothing(record):
    assert differences_between_sessions(record, "tensorflow") == []


def _interrupted(config, path, **options):
    """Train for one epoch of a config with more."""
    short = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    return train(short, run_dir=path, **options)


def _go_on(run, epochs, *overrides):
    notes = []
    listen = lambda event: notes.append(event.message) if isinstance(event, Note) else None  # noqa: E731
    train(load_config(run.config_file, [f"training.epochs={epochs}", *overrides]), resume=run, on_event=listen)
    return notes


def test_only_a_resume_under_other_conditions_is_marked_and_noted(digits, outputs):
    run = _interrupted(digits(), outputs / "a")
    assert _go_on(run, 2) == []
    record = run.record()
    assert "resume" not in record
    run.update(versions={**record["versions"], "numpy": "1.0"})
    (note,) = _go_on(run, 3)
    assert note.startswith("this resume is not exact: numpy 1.0 then, ")
    assert run.record()["resume"] == {"exact": False, "reasons": [note.removeprefix("this resume is not exact: ")]}


class Remembering(keras.callbacks.Callback):
    """Remembers what no checkpoint can hold."""

    def on_train_begin(self, logs=None):
        self.seen = {1, 2}


def test_a_callback_whose_state_cannot_be_kept_is_named_before_training(digits, outputs, monkeypatch):
    monkeypatch.setattr(keras.callbacks, "History", Remembering)
    events = []
    run = train(digits(callbacks=["History"]), outputs=outputs, on_event=events.append)
    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes == [f"a resume of this run would be not exact: {run.record()['resume']['reasons'][0]}"]
    assert "Remembering keeps `seen` as set" in notes[0]
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("Note") < kinds.index("EpochDone")


@pytest.mark.parametrize(("before", "after"), [([], ["CSVLogger"]), (["CSVLogger"], ["TensorBoard", "CSVLogger"])])
def test_callbacks_that_only_log_come_and_go_with_a_resume(digits, outputs, before, after):
    acting = {"name": "EarlyStopping", "patience": 9}
    run = _interrupted(digits(callbacks=[*before, acting]), outputs / "a")
    first_rows = "".join(file.read_text() for file in run.path.glob("artefacts/*.csv"))
    _go_on(run, 3, f"callbacks={json.dumps([acting, *after])}")
    (file,) = run.path.glob("artefacts/*.csv")
    assert file.read_text().startswith(first_rows)
    epochs = [row.partition(",")[0] for row in file.read_text().splitlines()]
    assert epochs == ["epoch", *(["0"] if before else []), "1", "2"]


def test_rows_of_epochs_that_are_computed_again_are_cut_off(tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("epoch,loss\n0,3.0\n1,2.0\n2,1.0\n3,0.")
    (found,) = engine_callbacks.csv_logs([keras.callbacks.CSVLogger(tmp_path / "b.csv", append=True), log])
    assert found is log
    engine_callbacks.continue_logs([log], 2)
    assert (tmp_path / "a.csv").read_text() == "epoch,loss\n0,3.0\n1,2.0\n"
    engine_callbacks.continue_logs([log], 0)
    assert (tmp_path / "a.csv").read_text() == ""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

from dlrun.cli.runs import list_rows
from dlrun.config.loading import config_from_mapping, dump_config, load_config
from dlrun.errors import ConfigError, Interrupted, JobError, RunDirError
from dlrun.files import write_json
from dlrun.keeping import check_model
from dlrun.run_dir import RunDir
from dlrun.studies import sweep
from dlrun.studies._archive import Archive
from dlrun.studies._study_dir import find_study
from dlrun.studies._sweep_search import Search
from dlrun.studies._sweep_space import draw, grid, own_params

SPACE = {
    "model.hidden": {"layers": [1, 2], "int": [8, 64], "log": True},
    "optimizer.name": {"choice": ["rmsprop", "sgd"]},
    "optimizer.momentum": {"float": [0.0, 0.9], "when": {"optimizer.name": "sgd"}},
    "optimizer.learning_rate": {"float": [1e-4, 1e-1], "log": True},
}
DIGITS = {
    "name": "digits",
    "data": "digits",
    "model": {"name": "mlp", "hidden": [16]},
    "training": {"epochs": 6, "batch_size": 128, "tensorboard": False},
    "monitor": "val_accuracy",
    "runtime": {"jit_compile": False},
}


class Killed(BaseException):
    """The end of the process, as `kill -9` brings it."""


class Machine:
    """Runs without training: each look at one adds an epoch, whose accuracy follows from the learning rate."""

    def __init__(self):
        self.started, self.failing, self.kill_at, self.dead = [], {}, None, False
        self.crashes, self.latest = {}, None

    def __call__(self, warm):
        self.dead = False
        return contextlib.nullcontext(self.start)

    def start(self, job):
        self.started.append(job.run_dir.name)
        self.latest = Growing(self, job)
        return self.latest


class Growing:
    def __init__(self, machine, job):
        self.machine, self.job, self.returncode, self.asked = machine, job, None, False
        self.config = load_config(job.config_file)
        resumed = job.status() is not None
        self.run = RunDir(job.run_dir) if resumed else RunDir.claim(job.run_dir)
        self.rows = self.run.history() if resumed and self.run.history_file.exists() else []
        self.run.start(self.run.record() if resumed else {})

    def accuracy(self):
        rate = self.config.optimizer.parameters["learning_rate"]
        return (0.5 if rate < 1e-3 else 0.9 - rate) + 0.01 * len(self.rows)

    def poll(self):
        if self.returncode is None:
            self.returncode = self.step()
        return self.returncode

    def step(self):
        crashes = self.machine.crashes.get(self.run.id, 0)
        if self.machine.dead or (crashes > 0 and self.rows):
            self.machine.crashes[self.run.id] = crashes - 1
            self.run.update(process={"pid": 2**22 + 1, "host": os.uname().nodename, "start": 0})
            return -9
        if self.asked:
            self.run.end("interrupted")
            return 75
        if message := self.machine.failing.get(self.run.id):
            self.run.end("failed", failure={"kind": "nan", "message": message})
            return 1
        if len(self.rows) == self.config.training.epochs:
            best = max(self.rows, key=lambda row: row["val_accuracy"])
            facts = {"monitor": "val_accuracy", "mode": "max", "best_epoch": self.rows.index(best) + 1, "best": best}
            write_json(self.run.metrics_file, {**facts, "last": best, "baselines": {}, "epochs": 6, "seconds": 1.0})
            self.run.end("completed", seconds=1.0)
            return 0
        self.rows.append({"val_accuracy": self.accuracy()})
        self.run.checkpoint.mkdir(exist_ok=True)
        self.run.model_file("best").touch()
        self.run.write_history(self.rows, [0.1] * len(self.rows))
        if self.machine.kill_at == (self.run.id, len(self.rows)):
            self.machine.kill_at, self.machine.dead = None, True
            raise Killed
        return None

    def terminate(self):
        self.asked = True


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(sweep, "starter", machine)
    monkeypatch.setattr("dlrun.studies._sweep_trials.POLL_SECONDS", 0)
    monkeypatch.setattr("dlrun.studies._sweep_trials.CLAIM_SECONDS", 0)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # half of the time on a busy disk
    return machine


def make(config=None, **keys):
    return config_from_mapping(
        {**DIGITS, "sweep": {"space": SPACE, "n_trials": 6, "startup_trials": 2, **keys}, **(config or {})}
    )


def begin(outputs, config, jobs=1):
    return sweep.begin(sweep.plan(config, jobs=jobs, cores=2), outputs)


def go_on(study, **options):
    ended = []
    summary = sweep.run(study, sweep.Options(**options), command=["dlrun"], on_end=ended.append)
    return summary, ended


def states(study):
    return [json.loads((study.path / name / "run.json").read_text())["status"] for name in runs(study)]


def runs(study):
    return sorted(path.parent.name for path in study.path.glob("trial-*/run.json"))


def test_every_trial_is_a_run_and_the_best_one_is_written_out(outputs, machine):
    study = begin(outputs, make(pruner="none"))
    summary, ended = go_on(study)
    assert runs(study) == [f"trial-00{n}" for n in range(6)] == machine.started
    assert [one.number for one in ended] == [0, 1, 2, 3, 4, 5]
    assert summary["counts"] == {"completed": 6}
    best = max(summary["ranking"], key=lambda row: row["value"])
    assert summary["best"] == best == summary["ranking"][0]
    config = load_config(study.path / "best.yaml")
    assert config.sweep is None
    assert config.model.parameters["hidden"] == best["values"]["model.hidden"]
    assert config.optimizer.parameters["learning_rate"] == best["values"]["optimizer.learning_rate"]
    assert config.training.checkpoint_every_seconds == 1.0
    assert "too good" in summary["notes"][0]
    assert len((study.path / "trials.csv").read_text().splitlines()) == 7
    assert {path.name for path in study.plots.iterdir()} == {"history.png", "importances.png", "parallel.png"}


def test_the_first_trial_is_the_config_as_it_stands(outputs, machine):
    summary, ended = go_on(begin(outputs, make(n_trials=2)))
    assert ended[0].values == {"model.hidden": [16], "optimizer.name": "rmsprop", "optimizer.learning_rate": 0.001}
    assert summary["own"]["trial"] == 0


def test_a_config_outside_of_its_space_is_not_tried_and_that_is_told(outputs, machine):
    summary, _ = go_on(begin(outputs, make({"optimizer": {"name": "adam"}}, n_trials=2)))
    assert summary["own"] is None
    assert any("optimizer.name is not in the space" in note for note in summary["notes"])


def test_trials_share_seed_and_split_and_the_cores(outputs, machine):
    study = begin(outputs, make(n_trials=3), jobs=2)
    go_on(study)
    configs = [load_config(study.config_of(name)) for name in runs(study)]
    assert {(config.seed, config.split, config.runtime.threads) for config in configs} == {(1, make().split, 1)}


def test_hopeless_trials_are_stopped_and_marked_in_run_and_study(outputs, machine):
    space = {"optimizer.learning_rate": {"choice": [0.01, 0.02, 0.0002, 0.03]}}
    study = begin(outputs, make(space=space, sampler="grid", startup_trials=2, warmup_epochs=2))
    summary, ended = go_on(study)
    assert [one.pruned_at for one in ended] == [None, None, 3, 3]
    record = RunDir(study.path / "trial-002").record()
    assert record["status"] == "pruned"
    assert record["pruned"] == {"epoch": 3, "pruner": "median", "study": study.id}
    assert len(RunDir(study.path / "trial-002").history()) == 3
    assert summary["counts"] == {"completed": 2, "pruned": 2}
    assert summary["notes"][-1] == "the grid has 4 combinations, all of which were tried"


def test_hyperband_lets_a_third_go_on(outputs, machine):
    space = {"optimizer.learning_rate": {"choice": [round(0.01 * (n + 1), 2) for n in range(12)]}}
    config = make({"training": {"epochs": 9}}, space=space, sampler="grid", pruner="hyperband", n_trials=12)
    summary, ended = go_on(begin(outputs, config))
    assert summary["counts"]["pruned"] >= 3
    assert {one.pruned_at for one in ended if one.pruned_at} == {4}  # the first rung, steps being counted from 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "qmc"])
def test_a_sweep_that_was_killed_ends_with_the_trials_of_an_undisturbed_one(outputs, machine, sampler):
    config = make(sampler=sampler)
    whole, _ = go_on(begin(outputs / "whole", config))
    study = begin(outputs / "killed", config)
    for kill_at in (("trial-001", 2), ("trial-003", 1), ("trial-005", 1)):
        machine.kill_at = kill_at
        with pytest.raises(Killed):
            go_on(study)
    summary, _ = go_on(study)
    assert summary["n_trials"] == 6
    assert summary["ranking"] == [{**row} for row in whole["ranking"]]
    assert summary["counts"] == whole["counts"]


def test_a_kill_between_two_steps_of_the_bookkeeping_loses_nothing(outputs, machine, monkeypatch):
    study = begin(outputs, make(n_trials=3))
    asked = {"n": 0}

    def draw_and_die(source, space):
        asked["n"] += 1
        if asked["n"] == 2:
            source.suggest_int("model.hidden.layers", 1, 2)
            raise Killed  # some values are drawn, no config is written
        return draw(source, space)

    monkeypatch.setattr("dlrun.studies._sweep_search.draw", draw_and_die)
    with pytest.raises(Killed):
        go_on(study)
    monkeypatch.setattr(
        "dlrun.studies._sweep_search.Search.end", lambda *_, **__: (_ for _ in ()).throw(Killed)
    )  # the run is completed, Optuna does not know
    with pytest.raises(Killed):
        go_on(study)
    monkeypatch.undo()
    monkeypatch.setattr(sweep, "starter", machine)
    summary, _ = go_on(study)
    assert summary["n_trials"] == 3
    assert machine.started == ["trial-000", "trial-001", "trial-002"]


def test_half_an_entry_and_a_lock_in_the_journal_do_not_matter(outputs, machine):
    study = begin(outputs, make(n_trials=2))
    go_on(study)
    journal = study.path / "optuna.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":4,"wor')
    (study.path / "optuna.journal.lock").symlink_to(journal)
    began = time.perf_counter()
    summary, _ = go_on(study, n_trials=3)
    assert summary["n_trials"] == 3
    assert time.perf_counter() - began < 20


def test_a_trial_about_to_be_pruned_when_the_sweep_died_is_pruned(outputs, machine, monkeypatch):
    space = {"optimizer.learning_rate": {"choice": [0.01, 0.02, 0.0002]}}
    study = begin(outputs, make(space=space, sampler="grid", warmup_epochs=2))

    def die(self):
        raise Killed

    monkeypatch.setattr(Growing, "terminate", die)
    with pytest.raises(Killed), contextlib.suppress(RecursionError):
        go_on(study)
    monkeypatch.undo()
    monkeypatch.setattr(sweep, "starter", machine)
    run = RunDir(study.path / "trial-002")
    run.update(process={"pid": 2**22 + 1, "host": os.uname().nodename, "start": 0})
    started = len(machine.started)
    summary, _ = go_on(study)
    assert run.status() == "pruned"
    assert len(machine.started) == started
    assert summary["counts"] == {"completed": 2, "pruned": 1}


def test_a_failed_trial_counts_and_is_not_tried_again(outputs, machine):
    machine.failing = {"trial-001": "error: the loss became nan"}
    study = begin(outputs, make(n_trials=3, pruner="none"))
    summary, ended = go_on(study)
    assert ended[1].failure == "the loss became nan"
    assert summary["counts"] == {"completed": 2, "failed": 1}
    go_on(study)
    assert machine.started == ["trial-000", "trial-001", "trial-002"]


def test_a_run_whose_process_is_killed_goes_on_twice_at_most(outputs, machine):
    machine.crashes = {"trial-001": 2, "trial-002": 3}
    summary, ended = go_on(begin(outputs, make(n_trials=3, pruner="none")))
    assert machine.started == ["trial-000", *["trial-001"] * 3, *["trial-002"] * 3]
    assert summary["counts"] == {"completed": 2, "failed": 1}
    assert ended[2].failure == "its process ended with code -9"


def test_a_run_that_outlived_its_sweep_is_waited_for(outputs, machine, monkeypatch):
    study = begin(outputs, make(n_trials=2, pruner="none"))
    machine.kill_at = ("trial-001", 2)
    monkeypatch.setattr("dlrun.studies._sweep_trials.stop_all", lambda processes: None)
    with pytest.raises(Killed):
        go_on(study)
    machine.dead = False
    monkeypatch.setattr("dlrun.studies._sweep_trials.time.sleep", lambda _: machine.latest.poll())
    summary, _ = go_on(study)
    assert machine.started == ["trial-000", "trial-001"]
    assert summary["counts"] == {"completed": 2}


def test_a_run_that_fails_while_it_is_being_pruned_has_failed(outputs, machine):
    space = {"optimizer.learning_rate": {"choice": [0.01, 0.02, 0.0002]}}
    study = begin(outputs, make(space=space, sampler="grid", warmup_epochs=2))
    terminate = Growing.terminate

    def fail(self):
        machine.failing[self.run.id] = "error: the loss became nan"

    Growing.terminate = fail
    try:
        summary, _ = go_on(study)
    finally:
        Growing.terminate = terminate
    assert summary["counts"] == {"completed": 2, "failed": 1}
    assert RunDir(study.path / "trial-002").status() == "failed"


@pytest.mark.parametrize(("n_trials", "tried"), [(9, 3), (2, 2)])
def test_a_sweep_whose_first_trials_all_fail_stops(outputs, machine, n_trials, tried):
    machine.failing = {f"trial-00{n}": "error: no such file" for n in range(9)}
    study = begin(outputs, make(n_trials=n_trials))
    with pytest.raises(JobError, match=f"the first {tried} trials failed, the last one: no such file"):
        go_on(study)
    assert study.status() == "failed"


def test_ctrl_c_stops_the_runs_and_says_how_to_go_on(outputs, machine):
    study = begin(outputs, make())

    def stop(ended):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"stopped") as stopped:
        sweep.run(study, sweep.Options(), command=[], on_end=stop)
    assert f"dlrun sweep --resume {study.path}" in str(stopped.value)
    assert study.status() == "interrupted"


def test_folds_give_a_trial_its_value_and_are_pruned_one_by_one(outputs, machine):
    space = {"optimizer.learning_rate": {"choice": [0.01, 0.02, 0.0002]}}
    config = make({"kfold": {"n_splits": 3}}, space=space, sampler="grid", objective="kfold")
    study = begin(outputs, config)
    summary, _ = go_on(study)
    assert summary["counts"] == {"completed": 2, "pruned": 1}
    assert runs(study) == [
        f"trial-00{n}-fold-{fold}" for n, fold in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0))
    ]
    assert summary["best"]["value"] == pytest.approx(0.89 + 0.05)
    assert load_config(study.path / "best.yaml").kfold.n_splits == 3


def test_tensorboard_gets_the_values_of_each_trial_once(outputs, machine):
    study = begin(outputs, make(n_trials=2))
    go_on(study)
    study.run("trial-000").tensorboard.mkdir()
    for _ in range(2):
        go_on(study)
    (file,) = study.run("trial-000").tensorboard.iterdir()
    accumulator = EventAccumulator(str(file)).Reload()
    found = [accumulator.SummaryMetadata(tag).plugin_data.content for tag in accumulator.PluginTagToContent("hparams")]
    values = [parse_session_start_info_plugin_data(content).hparams for content in found if content]
    assert values[0]["model.hidden"].string_value == "[16]"
    assert values[0]["optimizer.learning_rate"].number_value == 0.001


def test_more_trials_may_be_asked_of_a_sweep_that_has_ended(outputs, machine):
    study = begin(outputs, make(n_trials=2))
    go_on(study)
    summary, _ = go_on(study, n_trials=4)
    assert summary["n_trials"] == 4
    assert go_on(study)[1] == []  # the number stays


def test_a_combination_that_does_not_fit_fails_alone(outputs, machine):
    space = {"model.hidden": {"choice": [[16], [8]]}, "training.batch_size": {"choice": [16, 0]}}
    study = begin(outputs, make(space=space, sampler="grid"))
    summary, ended = go_on(study)
    assert summary["counts"] == {"completed": 2, "failed": 2}
    assert "training.batch_size" in ended[1].failure


def test_a_sweep_needs_a_section_and_a_validation_part(digits):
    with pytest.raises(ConfigError, match="has no section `sweep`"):
        sweep.plan(digits(), jobs=1, cores=1)
    with pytest.raises(ConfigError, match=r"split\.validation is 0"):
        sweep.plan(make({"split": {"validation": 0}, "monitor": "loss"}), jobs=1, cores=1)


def test_a_storage_that_cannot_be_opened_is_told(outputs, machine):
    study = begin(outputs, make(storage="nonsense://x"))
    with pytest.raises(JobError, match="the storage of the sweep cannot be opened"):
        go_on(study)


def weights_left(study):
    return {run.parent.name for run in study.path.glob("trial-*/best.keras")}


def test_only_the_best_trial_keeps_its_weights_also_after_a_kill(outputs, machine):
    study = begin(outputs, make(n_trials=8))
    machine.kill_at = ("trial-004", 3)
    with pytest.raises(Killed):
        go_on(study)
    summary, _ = go_on(study)
    assert weights_left(study) == {summary["best"]["run"]}
    assert {run.parent.name for run in study.path.glob("trial-*/checkpoint")} == {summary["best"]["run"]}
    assert load_config(study.config_of("trial-001")).training.keep == "both"  # so the run itself removes its checkpoint
    other = summary["ranking"][1]["run"]
    assert study.run(other).history()
    with pytest.raises(RunDirError, match=r"best\.keras of the run trial-00\d was removed: .* the best one keeps"):
        check_model(study.run(other).model_file("best"))
    assert load_config(study.path / "best.yaml").training.keep is None


def test_a_config_that_says_what_it_keeps_is_obeyed_in_a_sweep(outputs, machine):
    study = begin(outputs, make({"training": {**DIGITS["training"], "keep": "all"}}, n_trials=3))
    go_on(study)
    assert weights_left(study) == {"trial-000", "trial-001", "trial-002"}
    assert len([*study.path.glob("trial-*/checkpoint")]) == 3
    assert load_config(study.config_of("trial-001")).training.keep == "all"


def test_any_storage_of_optuna_will_do(outputs, machine, tmp_path):
    study = begin(outputs, make(storage=f"sqlite:///{tmp_path}/trials.db", n_trials=2))
    summary, _ = go_on(study)
    assert summary["n_trials"] == 2
    assert len(optuna.load_study(study_name=study.id, storage=f"sqlite:///{tmp_path}/trials.db").trials) == 2


def test_runs_lists_a_sweep_and_no_other_verb_takes_it_for_its_own(outputs, machine):
    config = make({"kfold": {"n_splits": 2}}, n_trials=2)
    study = begin(outputs, config)
    summary, _ = go_on(study)
    (row,) = [row for row in list_rows(outputs, None) if row["id"] == study.id]
    assert (row["metric"], row["value"]) == ("val_accuracy", summary["best"]["value"])
    assert Archive(outputs).study(config) is None


def test_a_grid_has_every_combination_once_conditions_kept():
    space = make(
        space={
            "optimizer.name": {"choice": ["rmsprop", "sgd"]},
            "optimizer.momentum": {"float": [0.0, 0.3], "step": 0.1, "when": {"optimizer.name": "sgd"}},
            "model.hidden": {"layers": [1, 2], "int": [8, 17], "step": 8},
        }
    ).sweep.space
    found = list(grid(space))
    assert len(found) == len({json.dumps(one) for one in found}) == (1 + 4) * (2 + 4)
    assert {one["optimizer.momentum"] for one in found if "optimizer.momentum" in one} == {0.0, 0.1, 0.2, 0.3}
    assert {one["model.hidden[0]"] for one in found} == {8, 16}


def test_values_that_are_no_scalars_and_steps_survive_optuna():
    space = make(
        space={"model.hidden": {"choice": [[16], [8, 8]]}, "model.dropout": {"float": [0.0, 0.35], "step": 0.1}}
    )
    study = optuna.create_study()
    drawn = [draw(study.ask(), space.sweep.space) for _ in range(20)]
    assert {json.dumps(one["model.hidden"]) for one in drawn} == {"[16]", "[8, 8]"}
    assert {one["model.dropout"] for one in drawn} <= {0.0, 0.1, 0.2, 0.3}
    assert own_params(space, space.sweep.space)[0] == {"model.hidden": "[16]", "model.dropout": 0.0}


class Process:
    """One of several processes, as a search sees it."""

    def __init__(self, study):
        self.search = Search(study.path, load_config(study.config_file), "max")

    def claim(self, n_trials, mine=()):
        trial = self.search.claim(n_trials, mine)
        if trial is None:
            return None
        self.search.values(trial)
        return trial.number

    def die(self):
        """As the system does it: the lock is free, the file stays."""
        self.search._worker._lock.release()


@pytest.mark.parametrize("storage", [None, "sqlite"])
def test_each_trial_belongs_to_one_process_until_that_dies(outputs, tmp_path, storage):
    url = f"sqlite:///{tmp_path}/trials.db" if storage else None
    study = begin(outputs, make(storage=url, sampler="random"))
    first, second = Process(study), Process(study)
    assert [first.claim(3), second.claim(3), first.claim(3, {0}), second.claim(3, {1})] == [0, 1, 2, None]
    values = [trial.params for trial in first.search.trials()]
    second.die()
    assert first.claim(3, {0, 2}) == 1
    assert first.claim(3, {0, 1, 2}) is None
    assert Process(study).claim(3) is None  # what the dead one had belongs to the first now
    assert first.claim(3, {0}) == 1  # and is begun anew when that has lost it, as by an exception
    first.search.close()
    assert Process(study).claim(3) == 0
    assert [trial.params for trial in first.search.trials()] == values


def test_a_second_process_helps_and_leaves_the_summary_to_the_first(outputs, machine):
    study = begin(outputs, make(n_trials=4))
    with study.owned():
        summary, ended = go_on(study)
        assert summary is None
        assert [one.number for one in ended] == [0, 1, 2, 3]
        with pytest.raises(ConfigError, match=r"its number of trials is set(.|\n)*--trials 9(.|\n)*expected  4"):
            go_on(study, n_trials=9)
    assert not study.summary_file.exists()
    summary, ended = go_on(study)
    assert ended == []
    assert summary["n_trials"] == 4


def test_who_helps_takes_over_when_the_first_process_has_died(outputs, machine, monkeypatch):
    study = begin(outputs, make(n_trials=3))
    busy = iter([True, False])
    monkeypatch.setattr(type(study), "busy", lambda _: next(busy))
    summary, _ = go_on(study)
    assert summary["counts"] == {"completed": 3}
    assert study.status() == "completed"


def test_what_a_killed_process_has_left_of_an_entry_disturbs_nobody(outputs):
    study = begin(outputs, make())
    first, second = Process(study), Process(study)
    assert first.claim(9) == 0
    with (study.path / "optuna.journal").open("ab") as journal:
        journal.write(b'{"op_code":4,"work')
    assert second.claim(9) == 1
    assert len(first.search.trials()) == len(second.search.trials()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("storage", [None, "sqlite"])
def test_two_processes_share_a_sweep_and_the_second_ends_it_when_the_first_is_killed(tmp_path, storage):
    path = tmp_path / "digits.yaml"
    url = f"sqlite:///{tmp_path}/trials.db" if storage else None
    path.write_text(dump_config(make({"training": {"epochs": 30, "batch_size": 16}}, n_trials=10, storage=url)))
    command = [sys.executable, "-m", "dlrun", "sweep"]
    options = {"cwd": tmp_path, "start_new_session": True}
    first = subprocess.Popen([*command, str(path), "--outputs", "out", "--jobs", "1"], **options)
    while not [*tmp_path.glob("out/*/*/trial-000/history.csv")]:
        assert first.poll() is None
        time.sleep(0.2)
    second = subprocess.Popen([*command, "--resume", "-", "--outputs", "out", "--jobs", "1"], **options)
    while not [*tmp_path.glob("out/*/*/trial-003/history.csv")]:
        assert second.poll() is None
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert second.wait(timeout=300) == 0
    study = find_study("-", Path(tmp_path / "out"))
    assert study.status() == "completed"
    assert study.summary()["n_trials"] == 10
    assert len(states(study)) == 10
    assert set(states(study)) <= {"completed", "pruned"}


@pytest.mark.slow
def test_a_sweep_killed_with_all_its_processes_goes_on(tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text(dump_config(make({"training": {"epochs": 30, "batch_size": 16}}, n_trials=8)))
    command = [sys.executable, "-m", "dlrun", "sweep"]
    first = subprocess.Popen(
        [*command, str(path), "--outputs", "out", "--jobs", "2"], cwd=tmp_path, start_new_session=True
    )
    while len([*tmp_path.glob("out/*/*/trial-*/history.csv")]) < 3 and first.poll() is None:
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    subprocess.run([*command, "--resume", "-", "--outputs", "out"], cwd=tmp_path, check=True)
    study = find_study("-", Path(tmp_path / "out"))
    assert study.summary()["n_trials"] == 8
    assert set(states(study)) <= {"completed", "pruned"}
    assert len(states(study)) == 8

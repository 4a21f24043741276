import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dlrun.cli import main
from dlrun.cli.runs import list_rows
from dlrun.config.loading import config_from_mapping, dump_config, load_config
from dlrun.errors import ConfigError, DataError, Interrupted, JobError
from dlrun.files import json_text
from dlrun.jobs.job import Job
from dlrun.jobs.local import JobResult
from dlrun.run_dir import RunDir, list_runs
from dlrun.studies import _final, _out_of_fold, kfold
from dlrun.studies._study_dir import find_study
from dlrun.studies._summary import FoldResult, summarise
from dlrun.train import train

BOSTON = {
    "name": "houses",
    "data": {"name": "boston_housing", "sample": True, "scale_target": True},
    "split": {"kind": "head"},
    "model": {"name": "mlp", "hidden": [8]},
    "training": {"epochs": 3, "batch_size": 64, "tensorboard": False},
    "monitor": "val_mae",
    "runtime": {"jit_compile": False},
    "kfold": {"n_splits": 2},
}


class InThisProcess:
    """`run_jobs` without processes, whose start takes longer than these runs. `broken` are runs that fail, `commands`
    those of other jobs.
    """

    def __init__(self):
        self.trained, self.broken, self.stop_before, self.commands = [], set(), None, []

    def __call__(self, jobs, slots=1, *, start=None, on_end=lambda result: None):
        return [self.run(job, on_end) if isinstance(job, Job) else self.run_command(job) for job in jobs]

    def run_command(self, job):
        self.commands.append(job.command[:2])
        return JobResult(job, job.status(), 1 if job.command[1] in self.broken else main(job.command))

    def run(self, job, on_end):
        name, code = job.run_dir.name, None
        if name == self.stop_before:
            raise KeyboardInterrupt
        if not job.done:
            self.trained.append(name)
            code = 0
            if name in self.broken:
                code = 1
                run = RunDir.claim(job.run_dir)
                shutil.copy(job.config_file, run.config_file)
                run.start({})
                run.end("failed", failure={"kind": "nan", "message": "error: the loss became nan\nmore"})
            else:
                resumed = RunDir(job.run_dir) if job.status() else None
                train(load_config(job.config_file), run_dir=None if resumed else job.run_dir, resume=resumed)
        result = JobResult(job, job.status(), code)
        on_end(result)
        return result


@pytest.fixture
def jobs(monkeypatch):
    return use(InThisProcess(), monkeypatch)


def use(jobs, monkeypatch):
    monkeypatch.setattr(kfold, "run_jobs", jobs)
    monkeypatch.setattr(kfold, "starter", lambda warm, worker: contextlib.nullcontext())
    monkeypatch.setattr(_final, "run_jobs", jobs)
    return jobs


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study with its final model, and its summary. Tests must not change it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(InThisProcess(), monkeypatch)
        study = kfold.begin(plan_of(), tmp_path_factory.mktemp("kfold") / "outputs")
        return study, run(study, final=True, final_batch_size=32)


def plan_of(**keys):
    return kfold.plan(config_from_mapping({**BOSTON, **keys}), jobs=None, cores=2)


def run(study, **options):
    return kfold.run(study, kfold.Options(**options), command=["dlrun", "kfold"], on_end=ignore, tell=ignore)


def ignore(*_arguments):
    pass


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_fold_is_the_config_with_its_rows_and_its_share_of_the_cores():
    plan = kfold.plan(config_from_mapping({**BOSTON, "kfold": {"n_splits": 3}}), jobs=None, cores=8)
    assert plan.slots == 3
    assert [config.split.fold.index for config in plan.folds.values()] == [0, 1, 2]
    assert {config.runtime.threads for config in plan.folds.values()} == {2}
    assert all(config.kfold is None for config in plan.folds.values())
    assert list(plan.folds) == ["fold-0", "fold-1", "fold-2"]


@pytest.mark.parametrize(
    ("jobs", "threads", "cores", "slots", "each"), [(1, None, 4, 1, 4), (None, 4, 8, 2, 4), (9, None, 2, 3, 1)]
)
def test_jobs_and_threads_can_be_stated(jobs, threads, cores, slots, each):
    config = config_from_mapping({**BOSTON, "kfold": {"n_splits": 3}, "runtime": {"threads": threads}})
    plan = kfold.plan(config, jobs=jobs, cores=cores)
    assert (plan.slots, plan.folds["fold-0"].runtime.threads) == (slots, each)


def test_of_several_gpus_each_fold_gets_one():
    config = config_from_mapping({**BOSTON, "kfold": {"n_splits": 3}})
    plan = kfold.plan(config, jobs=None, cores=8, gpus=2)
    assert plan.slots == 2
    assert [config.runtime.device for config in plan.folds.values()] == ["gpu:0", "gpu:1", "gpu:0"]


def test_repetitions_are_reshuffled_and_kind_may_differ_from_that_of_the_split():
    plan = plan_of(kfold={"n_splits": 2, "repeats": 2, "kind": "shuffled"})
    assert list(plan.folds) == [f"repeat-{r}-fold-{i}" for r in (0, 1) for i in (0, 1)]
    assert {config.split.kind for config in plan.folds.values()} == {"shuffled"}


def test_folds_begin_with_weights_of_their_own_on_the_same_data():
    folds = list(plan_of().folds.values())
    assert len({config.training_seed for config in folds}) == 2
    assert len({config.seed for config in folds}) == 1


@pytest.mark.parametrize(("keep", "folds"), [(None, "both"), ("all", "all"), ("none", "both")])
def test_folds_keep_the_models_that_predict_their_held_out_rows(keep, folds):
    plan = plan_of(training={**BOSTON["training"], "keep": keep})
    assert {config.training.keep for config in plan.folds.values()} == {folds}


def test_a_study_that_keeps_nothing_has_its_predictions_and_the_model_that_read_test(outputs, jobs):
    study = kfold.begin(plan_of(training={**BOSTON["training"], "epochs": 1, "keep": "none"}), outputs)
    summary = run(study, final=True)
    assert len(rows_of(study.out_of_fold_file)) == summary["out_of_fold"]["rows"]
    assert summary["final"]["metrics"]
    assert [str(path.relative_to(study.path)) for path in study.path.rglob("*.keras")] == ["final/best.keras"]
    assert not [*study.path.glob("*/checkpoint")]
    assert run(study)["out_of_fold"] == summary["out_of_fold"]


def test_a_study_sums_its_folds_up(finished):
    study, summary = finished
    assert study.status() == "completed"
    assert json.loads(study.summary_file.read_text()) == json.loads(json_text(summary))
    last = [study.run(name).history()[-1]["val_mae"] for name in ("fold-0", "fold-1")]
    assert summary["metrics"]["val_mae"]["folds"] == last
    curve = rows_of(study.curve_file)
    means = [float(row["val_mae"]) for row in curve]
    assert summary["best"]["val_mae"]["mean"] == pytest.approx(min(means))
    assert summary["recommended_epochs"] == means.index(min(means)) + 1  # three epochs are not smoothed
    assert sorted(path.name for path in study.plots.iterdir()) == ["raw.png", "smoothed.png"]
    assert list(list_runs(study.path.parent.parent)) == []  # folds are no runs of their own in the list


def test_runs_lists_a_study_as_one_and_its_runs_by_its_id(finished):
    study, summary = finished
    outputs = study.path.parent.parent
    (row,) = list_rows(outputs, None)
    assert (row["name"], row["id"], row["best_epoch"]) == ("houses", study.id, summary["recommended_epochs"])
    assert row["value"] == summary["best"]["val_mae"]["mean"]
    assert [row["id"] for row in list_rows(outputs, study.id)] == ["fold-0", "fold-1", "final"]


def test_every_row_is_predicted_by_the_model_that_did_not_see_it(finished):
    study, summary = finished
    rows = rows_of(study.out_of_fold_file)
    assert sorted(int(row["row"]) for row in rows) == list(range(1, len(rows) + 1))
    errors = [abs(float(row["target"]) - float(row["prediction"])) for row in rows]
    found = summary["out_of_fold"]
    assert found["outputs"]["price"]["metrics"]["mae"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert (found["weights"], found["rows"]) == ("last", len(rows))
    # the model of each fold at its last epoch, in thousand dollars: what its own validation says
    sizes = [fold["validation"] for fold in summary["rows"]]
    own = np.average(summary["metrics_original"]["val_mae"]["folds"], weights=sizes)
    assert own == pytest.approx(np.mean(errors), rel=1e-4)
    assert own > 2 * np.mean(summary["metrics"]["val_mae"]["folds"])  # those are standardised


def test_a_fold_that_fails_is_named_the_others_are_kept_and_a_resume_tries_it_again(jobs, outputs, finished):
    jobs.broken = {"fold-0"}
    plan = plan_of()
    study = kfold.begin(plan, outputs)
    with pytest.raises(JobError, match=r"1 of 2 folds failed: fold-0\n +fold-0: the loss became nan\n") as error:
        run(study)
    assert f"dlrun kfold --resume {study.path}" in str(error.value)
    assert (study.status(), jobs.trained) == ("failed", ["fold-0", "fold-1"])
    assert not study.summary_file.exists()
    assert kfold.unfinished(plan, outputs).path == study.path
    jobs.broken, jobs.trained = set(), []
    again = run(find_study("-", outputs))
    assert jobs.trained == ["fold-0"]
    assert jobs.commands == [["kfold", "--sum-up"]]
    assert kfold.unfinished(plan, outputs) is None
    assert again["metrics"] == finished[1]["metrics"]
    assert again["out_of_fold"] == finished[1]["out_of_fold"]


def test_what_the_worker_cannot_sum_up_the_study_does_itself(jobs, outputs, monkeypatch):
    def predict(*_arguments):
        raise DataError("the data has changed since fold-0 was trained")

    jobs.broken = {"--sum-up"}
    study = kfold.begin(plan_of(training={"epochs": 1, "batch_size": 64, "tensorboard": False}), outputs)
    monkeypatch.setattr(_out_of_fold, "predict", predict)
    with pytest.raises(DataError, match="the data has changed"):
        run(study)
    assert (study.status(), study.summary()["out_of_fold"]) == ("failed", None)
    monkeypatch.setattr(_out_of_fold, "predict", lambda _study, _names, weights: {"weights": weights})
    assert run(study)["out_of_fold"] == {"weights": "last"}
    assert jobs.commands == [["kfold", "--sum-up"]]  # with all folds there no worker is started


def test_a_study_that_is_stopped_says_how_to_go_on(jobs, outputs):
    jobs.stop_before = "fold-0"
    study = kfold.begin(plan_of(), outputs)
    with pytest.raises(Interrupted, match=f"dlrun kfold --resume {study.path}") as error:
        run(study)
    assert (study.status(), error.value.exit_code) == ("interrupted", 75)


def test_a_final_model_that_was_stopped_in_its_first_stage_is_gone_on_with(outputs, jobs):
    stages = [{"epochs": 1}, {"epochs": 2, "learning_rate": 1e-4}]
    study = kfold.begin(plan_of(training={**BOSTON["training"], "stages": stages}), outputs)
    config = load_config(study.config_file)
    final = _final.train_and_read(study, config, 3, None, ignore)
    study.run("final").update(stages=study.run("final").record()["stages"][:1])
    assert _final.train_and_read(study, config, 3, None, ignore) == final


def test_the_final_model_learns_all_rows_but_test_and_reads_test_once(jobs, finished):
    study, summary = finished
    final = study.run("final")
    assert load_config(final.config_file).training.epochs == summary["recommended_epochs"]
    rows = final.record()["split"]
    assert (rows["training"], "validation" in rows) == (sum(fold["validation"] for fold in summary["rows"]), False)
    assert {"mae", "mse"} <= summary["final"]["metrics"].keys()
    again = run(study, final=True, final_batch_size=32)
    assert (again["final"], jobs.trained) == (summary["final"], [])
    assert len(final.record()["test_readings"]) == 1
    with pytest.raises(ConfigError, match="a final run of other epochs or batches"):
        _final.train_and_read(study, load_config(study.config_file), 1, 16, ignore)


def test_without_a_test_part_there_is_nothing_to_read(outputs):
    run = RunDir.create(outputs, "x")
    run.start({"split": {"kind": "head", "training": 10}})
    assert _final._read_test(run) is None


@pytest.mark.slow
def test_labels_and_several_repetitions_are_listed(jobs, outputs, digits):
    config = digits(
        kfold={"n_splits": 2, "repeats": 2}, training={"epochs": 1, "batch_size": 128, "tensorboard": False}
    )
    study = kfold.begin(kfold.plan(config, jobs=None, cores=2), outputs)
    summary = run(study, weights="best")
    rows = rows_of(study.out_of_fold_file)
    assert summary["kind"] == "stratified"
    assert len(rows) == 2 * summary["out_of_fold"]["rows"] == 2 * 1438
    right = np.mean([row["target"] == row["prediction"] for row in rows])
    output = summary["out_of_fold"]["outputs"]["digit"]
    assert output["metrics"]["accuracy"] == pytest.approx(right)
    assert len(output["repeats"]) == 2
    first = {row["row"] for row in rows if row["run"] == "repeat-0-fold-0"}
    assert first != {row["row"] for row in rows if row["run"] == "repeat-1-fold-0"}


def test_folds_that_stop_early_are_averaged_while_all_are_there():
    def fold(*values):
        history = [{"val_loss": value} for value in values]
        metrics = {"monitor": "val_loss", "mode": "min", "best": {"val_loss": min(values)}, "last": history[-1]}
        metrics |= {"baselines": {"val_loss": 9.0}, "best_epoch": 1, "epochs": len(values), "seconds": 1.0}
        return FoldResult(RunDir(Path("fold")), history, metrics, {}, "shuffled", {})

    config = config_from_mapping({**BOSTON, "kfold": {"n_splits": 2}})
    summary = summarise(config, [fold(3.0, 2.0, 1.0), fold(3.0, 4.0)])
    assert (summary["epochs"], summary["fold_epochs"], summary["recommended_epochs"]) == (2, [3, 2], 1)
    assert summary["metrics"]["val_loss"]["folds"] == [1.0, 4.0]  # each at its own last epoch
    assert "after 3, 2 epochs" in summary["notes"][0]


@pytest.mark.slow
def test_a_study_whose_processes_are_all_killed_ends_as_one_that_was_not(digits, outputs, tmp_path):
    config = tmp_path / "digits.yaml"
    training = {"epochs": 400, "batch_size": 32, "tensorboard": False}
    config.write_text(dump_config(digits(training=training, kfold={"n_splits": 3})))
    begun = [sys.executable, "-m", "dlrun", "kfold", str(config), "--jobs", "2", "--outputs", str(outputs)]
    process = subprocess.Popen(begun, start_new_session=True)
    while len(list(outputs.glob("*/*/fold-*/checkpoint/0*"))) < 2 and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    study = find_study("digits", outputs)
    assert study.status() == "interrupted"
    assert run(study) == study.summary()
    assert (study.path / "summary.out").exists()  # a child of the worker has written it
    alone = tmp_path / "alone"
    again = [sys.executable, "-m", "dlrun", "train", str(study.config_of("fold-0")), "--run-dir", str(alone)]
    subprocess.run(again, check=True, capture_output=True)
    assert study.run("fold-0").history_file.read_bytes() == RunDir(alone).history_file.read_bytes()

"""Reports on studies: folds and trials, finished and not."""

import json
import shutil

import pytest

from dlrun.cli import main
from dlrun.studies._study_dir import StudyDir

SPREAD = {"mean": 2.5, "std": 0.5, "low": 1.5, "high": 3.5, "folds": [2.0, 3.0]}


@pytest.fixture
def study(outputs, digits_run):
    """Makes a study on disk with the runs of this name, all copies of one, and this summary."""

    def make(verb, runs, summary):
        found = StudyDir(outputs / "small" / f"20260101-000001-abcdef-{verb}")
        for name in runs:
            skipped = shutil.ignore_patterns("*.keras", "checkpoint", "plots")
            shutil.copytree(digits_run.path, found.path / name, ignore=skipped)
        record = {"format": 1, "status": "completed", "verb": verb, "name": "small", "command": ["dlrun", verb, "x"]}
        times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:03:20+00:00"}
        found.record_file.write_text(json.dumps({**record, **times, "plan": {"slots": 2}}))
        shutil.copy(digits_run.config_file, found.config_file)
        if summary:
            found.summary_file.write_text(json.dumps({"format": 1, "name": "small", **summary}))
        return found

    return make


@pytest.fixture
def folds(study):
    """A finished study of two folds."""
    entries = [
        {
            "run": f"fold-{n}",
            "epochs": 3,
            "seconds": 4.0,
            "best_epoch": 2,
            "best": {"val_mae": n},
            "last": {"val_mae": 9.0},
        }
        for n in range(2)
    ]
    at = {"val_mae": SPREAD, "mae": {**SPREAD, "mean": 1.25}}
    summary = {
        "monitor": "val_mae",
        "mode": "min",
        "recommended_epochs": 2,
        "metrics": at,
        "best": at,
        "folds": entries,
    }
    own = {"baselines": {"val_mae": 6.5}, "interval": "95 %, of folds", "notes": ["the folds ended early"]}
    return study("kfold", ["fold-0", "fold-1"], {**summary, **own})


@pytest.fixture
def trials(study):
    """A finished sweep of three trials."""
    values = {"optimizer.learning_rate": 0.0123456, "model.hidden": [16, 8]}
    ranking = [
        {
            "trial": n,
            "run": f"trial-00{n}",
            "status": "completed",
            "value": v,
            "epochs": 3,
            "best_epoch": 2,
            "values": values,
        }
        for n, v in ((2, 0.9), (0, 0.8))
    ]
    summary = {"verb": "sweep", "monitor": "val_loss", "mode": "max", "n_trials": 3, "sampler": "tpe", "notes": []}
    counts = {"counts": {"completed": 2, "failed": 1}, "own": ranking[1], "best": ranking[0], "ranking": ranking}
    importances = {"importances": {"model.hidden": 0.25, "optimizer.learning_rate": 0.75}}
    return study("sweep", ["trial-000", "trial-002"], {**summary, **counts, **importances})


def test_the_folds_say_together_how_good_the_model_is(page, folds):
    found = page(folds.path)
    assert "val_mae is 2.5000 ± 0.5000 at epoch 2 (mean ± standard deviation of 2 folds)" in found.text
    assert "better than the baseline, 6.5000" in found.text
    assert "3 min 20 s" in found.text
    assert "the folds ended early" in found.text
    row = found.table("At the recommended epoch, 2").row("val_mae")
    assert row["95 % interval"] == "1.5000 to 3.5000"
    assert [line[0] for line in found.table("At the last epoch").rows[1:]] == ["val_mae", "mae"]


def test_each_fold_has_a_row_and_a_thin_line_under_the_mean(page, folds):
    found = page(folds.path)
    table = found.table("Each fold")
    assert table.row("fold-1")["val_mae, its own best epoch"] == "1.0000"
    legends = [
        attributes for tag, attributes in found.attributes if tag == "g" and "thin" in attributes.get("class", "")
    ]
    assert len(legends) == 2  # of loss and accuracy
    assert "mean, validation" in found.text


def test_scores_out_of_fold_and_of_the_final_model_are_told(page, folds, edit):
    output = {"unit": "years", "metrics": {"mae": 2.5}, "intervals": {"mae": [2.0, 3.0]}}
    final = {"run": "final", "epochs": 46, "batch_size": 1, "metrics": {"mae": 2.75}}
    edit(folds.summary_file, out_of_fold={"rows": 404, "weights": "best", "outputs": {"age": output}}, final=final)
    found = page(folds.path)
    assert found.table("All rows").rows[1] == ["mae", "years", "2.5000", "2.0000 to 3.0000"]
    assert found.table("On test, read once: 46 epochs, batch size 1").rows[1] == ["mae", "2.7500"]
    edit(folds.summary_file, final={**final, "metrics": {"age": {"mae": 1.5}}})
    assert page(folds.path).table("On test").rows[1] == ["age mae", "1.5000"]


def test_rows_predicted_worst_come_first(page, folds):
    folds.out_of_fold_file.write_text("row,run,target,prediction\n1,fold-0,5.0,5.5\n2,fold-1,1.0,9.0\n")
    table = page(folds.path).table("Largest errors of 2 rows")
    assert [row[0] for row in table.rows[1:]] == ["2", "1"]
    assert table.rows[1][-1] == "8.0000"


def test_classes_predicted_out_of_fold_are_no_errors_to_sort(page, folds):
    folds.out_of_fold_file.write_text("row,run,target,prediction\n1,fold-0,cat,dog\n")
    assert "out-of-fold" not in page(folds.path).values("id")


def test_an_unfinished_study_says_how_to_go_on_and_shows_what_is_there(page, study):
    found = study("kfold", ["fold-0"], None)
    text = page(found.path).text
    assert "it has no summary yet" in text
    assert f"dlrun kfold --resume {found.id}" in text
    assert page(found.path).table("Folds").row("fold-0") == {"fold": "fold-0", "status": "completed"}


def test_the_names_of_runs_in_a_summary_cannot_lead_out_of_the_study(page, folds, run, edit):
    folder = {"run": f"../../digits/{run.id}", "epochs": 3, "best": {"val_mae": 1.0}, "last": {"val_mae": 1.0}}
    edit(folds.summary_file, folds=[folder])
    assert "curves" not in page(folds.path).values("id")


def test_a_sweep_has_its_ranking_importance_search_and_curves(page, trials):
    found = page(trials.path)
    assert "The best val_loss is 0.9000, of trial 2; the config as it stands has 0.8000." in found.text
    assert "3 trials (2 completed, 1 failed) of the sampler tpe." in found.text
    ranking = found.table("Completed trials")
    assert ranking.rows[1] == ["1", "2", "0.9000", "2", "3", "0.0123456", "[16, 8]"]
    assert [row[0] for row in found.table("Share").rows[1:]] == ["optimizer.learning_rate", "model.hidden"]
    assert {"search", "curves", "config"} <= set(found.values("id"))
    assert "best so far" in found.text


def test_why_trials_failed_is_told(page, trials):
    (trials.path / "trials.csv").write_text("trial,status,failure\n0,completed,\n1,failed,<b>out of memory</b>\n")
    assert page(trials.path).table("Why").rows[1:] == [["1", "<b>out of memory</b>"]]


def test_a_study_is_found_by_its_name_and_reported_into_itself(folds, outputs, capsys):
    assert main(["report", "small", "--outputs", str(outputs)]) == 0
    assert (folds.path / "report.html").exists()


def test_a_study_beside_other_runs_is_refused(folds, run, outputs, capsys):
    assert main(["report", "small", "digits", "--outputs", str(outputs)]) == 2
    assert "a study is reported by itself" in capsys.readouterr().err

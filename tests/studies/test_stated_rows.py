import functools
import json

import pytest
from small_book import claims_of, result, write_book

from dlrun.config.dumping import dump_config
from dlrun.files import write_json
from dlrun.run_dir import RunDir
from dlrun.studies._archive import Archive
from dlrun.studies._stated_rows import _of_run, result_of, row_of
from dlrun.studies._stated_table import counts, deviation_text, markdown, measured_text
from dlrun.studies._study_dir import StudyDir, write_table


@pytest.fixture
def book(tmp_path):
    """Writes configs of a small book; keyword arguments are further lines by name of the config."""
    return functools.partial(write_book, tmp_path / "book")


@pytest.mark.parametrize(
    ("expect", "values", "verdict"),
    [
        ("value: 0.5, tolerance: 0.1", [0.55], "pass"),
        ("value: 0.5, tolerance: 0.1", [0.65], "fail"),
        ("value: 0.5, tolerance: 0.1, seeds: 2", [0.4, 0.7], "pass"),
        ("value: 0.5, tolerance: 0.1, at: 9", [0.5], "not measured"),
        ("below: baseline", [0.9, 0.9, 1.1], "pass"),
        ("below: baseline", [0.9, 0.9, None], "not run"),
        ("below: baseline, margin: 0.1", [0.9, 0.9, 1.1], "fail"),
        ("above: 0.9", [0.9, 0.9, 1.1], "pass"),
    ],
)
def test_the_verdict_on_means_over_seeds(book, expect, values, verdict):
    (claim,) = claims_of(book(one=f"expect: {{metric: val_loss, {expect}}}\n"))
    found = {one: result("x", value) for one, value in zip(claim.own, values, strict=True) if value is not None}
    row = row_of(claim, found, {})
    assert row.verdict == verdict
    assert row.seconds == 2.0 * len(found)


def test_small_scale_and_few_seeds_are_not_judged_and_say_so(book):
    folder = book(one="small: {training.epochs: 2}\n" + "expect: {metric: val_loss, value: 5, tolerance: 1}\n")
    (claim,) = claims_of(folder, scale="small")
    row = row_of(claim, {claim.own[0]: result("x", 0.5)}, {})
    assert (row.verdict, row.note, row.deviation) == ("not judged", "small scale: training.epochs 2", -4.5)
    folder = book(one="expect: {metric: val_loss, below: baseline}\n")
    (claim,) = claims_of(folder, seeds=1)
    row = row_of(claim, {claim.own[0]: result("x", 0.5)}, {})
    assert (row.verdict, row.note) == ("not judged", "1 seeds are too few for an order")


def test_an_epoch_that_a_short_run_does_not_reach_is_no_failure(book):
    (claim,) = claims_of(
        book(one="small: {training.epochs: 2}\n" + "expect: {metric: val_loss, at: 9, below: 5.0}\n"), scale="small"
    )
    found = {one: result("x", 0.5) for one in claim.own}
    assert row_of(claim, found, {}).verdict == "not judged"


def test_the_table_says_what_was_measured(book):
    (claim,) = claims_of(book(one='expect: {metric: val_loss, below: baseline, source: "DLwP 1.2 | figure 3"}\n'))
    row = row_of(claim, {one: result("x", value) for one, value in zip(claim.own, (0.4, 0.5, 0.6), strict=True)}, {})
    assert measured_text(row) == "0.5000 (s 0.1000, 3 seeds) against 1"
    assert deviation_text(row) == "-0.5000"
    page = markdown([row], {"command": ["dlrun", "reproduce", "book/*"], "versions": {"keras": "3.15"}})
    assert "`dlrun reproduce 'book/*'`" in page
    assert "| pass | 6 | DLwP 1.2 \\| figure 3 |" in page
    assert counts([row]) == {"pass": 1}
    assert json.dumps(row.as_dict())


def test_a_study_is_measured_by_the_means_of_its_folds_and_test_by_its_final_run(book, outputs):
    folder = book(
        one="""
kfold: {n_splits: 2}
expect:
  - {metric: val_mae, value: 2.5, tolerance: 0.1}
  - {metric: val_mae, at: last, value: 9.5, tolerance: 0.1}
  - {metric: val_mae, at: 2, value: 4.0, tolerance: 0.1}
  - {metric: recommended_epochs, value: 3}
  - {metric: parameters, value: 610}
  - {metric: test_mae, value: 2.7, tolerance: 0.1}
metrics: [mae]
"""
    )
    claims = claims_of(folder)
    study = StudyDir(outputs / "one" / "20260101-000000-000000-kfold")
    study.run("fold-0").path.mkdir(parents=True)
    study.config_file.write_text(dump_config(claims[0].own[0].config))
    study.start(verb="kfold", plan={})
    study.end("completed")
    write_table(study.curve_file, [{"epoch": n, "val_mae": value} for n, value in enumerate((6.0, 4.0, 2.5, 9.5), 1)])
    write_json(study.run("fold-0").path / "metrics.json", {"best": {}, "parameters": 610})
    summary = {"recommended_epochs": 3, "best": {"val_mae": {"mean": 2.5}}, "final": {"metrics": {"mae": 2.7}}}
    write_json(study.summary_file, {**summary, "folds": [{"run": "fold-0", "seconds": 4}, {"seconds": 5}]})
    found = {claims[0].own[0]: result_of(claims[0].own[0], Archive(outputs))}
    rows = [row_of(claim, found, {}) for claim in claims]
    assert [row.verdict for row in rows] == ["pass"] * 6
    assert rows[0].seconds == 9


def test_scores_of_several_tasks_are_named_after_them(outputs):
    run = RunDir.create(outputs, "x")
    run.start({"seconds": 1.0})
    write_json(run.metrics_file, {"best": {}})
    run.write_history([{"loss": 1.0}], [1.0])
    run.evaluations.mkdir()
    made = {"age": {"values": {"mae": 2.0}, "baselines": {"mae": 5.0}}}
    write_json(run.evaluations / "001-test-best.json", {"outputs": made})
    assert _of_run(run).test == {"age_mae": 2.0, "baseline_age_mae": 5.0}

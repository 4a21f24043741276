"""Runs and studies on disk, made without training where a report does not need more than files."""

import csv
import json
import shutil

import pytest
from pages import Page

from dlrun.report import write_report
from dlrun.run_dir import RunDir

SCORE = {
    "rows": 6,
    "values": {"accuracy": 0.5, "f1": 0.4},
    "intervals": {"accuracy": [0.2, 0.8]},
    "per_class": [
        {"label": "cat", "precision": 0.5, "recall": 1.0, "f1": 0.6, "rows": 3},
        {"label": "dog", "precision": 0.5, "recall": 0.0, "f1": 0.1, "rows": 3},
    ],
    "confusion": [[3, 0], [2, 1]],
    "baselines": {"accuracy": 0.4, "accuracy_shuffled": 0.3},
    "labels": ["cat", "dog"],
}


@pytest.fixture
def run(digits_run, outputs):
    """A run on digits of its own, which a test may change."""
    folder = RunDir(outputs / "digits" / "20260101-000001-abcdef")
    shutil.copytree(digits_run.path, folder.path, ignore=shutil.ignore_patterns("*.keras", "checkpoint", "plots"))
    return folder


@pytest.fixture
def page(outputs):
    """The report on what is named, read back."""

    def make(*names, **options):
        return Page(write_report([str(name) for name in names], outputs, **options).read_text())

    return make


@pytest.fixture
def evaluated():
    """Puts an evaluation into a run."""

    def put(run, number=1, **fields):
        run.evaluations.mkdir(exist_ok=True)
        found = {"split": "test", "model_file": "/x/best.keras", "notes": [], "reading": number, "score": SCORE}
        file = run.evaluations / f"{number:03d}-test-best.json"
        file.write_text(json.dumps({**found, "labels": SCORE["labels"], "baselines": SCORE["baselines"], **fields}))

    return put


@pytest.fixture
def edit():
    """Changes fields of a JSON file."""

    def change(path, **fields):
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


@pytest.fixture
def history():
    """Writes the history of a run from its columns."""

    def write(run, **columns):
        names = list(columns)
        with run.history_file.open("w", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(["epoch", *names])
            table.writerows([epoch, *row] for epoch, row in enumerate(zip(*columns.values(), strict=True), 1))
        run.timing_file.unlink(missing_ok=True)

    return write

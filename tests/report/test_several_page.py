"""Reports on several runs: what differs, seeds, curves over each other."""

import json
import shutil

import pytest

from dlrun.cli import main
from dlrun.run_dir import RunDir


@pytest.fixture
def runs(digits_run, outputs):
    """Two configurations with two seeds each; the second one is worse by 0.5 and 0.7."""
    found = []
    for number, (units, seed, level) in enumerate(((16, 1, 0.2), (16, 20261121, 0.3), (8, 1, 0.7), (8, 20261121, 1.0))):
        folder = RunDir(outputs / "digits" / f"20260101-00000{number}-abcdef")
        shutil.copytree(digits_run.path, folder.path, ignore=shutil.ignore_patterns("*.keras", "checkpoint", "plots"))
        config = folder.config_file.read_text().replace("hidden: [16]", f"hidden: [{units}]")
        folder.config_file.write_text(
            config.replace("\nseed: 0", f"\nseed: {seed}").replace("\nseed: 1", f"\nseed: {seed}")
        )
        metrics = json.loads(folder.metrics_file.read_text())
        metrics["best"]["val_loss"] = level
        folder.metrics_file.write_text(json.dumps(metrics))
        found.append(folder)
    return found


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_only_what_differs_is_in_the_table(page, runs):
    table = page("digits", every=True).table("Only what differs")
    assert table.heads[:4] == ["#", "rank", "seed", "model.hidden"]
    assert [row[1:5] for row in table.rows[1:]] == [
        ["1", "1", "[16]", "0.2000"],
        ["1", "20261121", "[16]", "0.3000"],
        ["2", "1", "[8]", "0.7000"],
        ["2", "20261121", "[8]", "1.0000"],
    ]


def test_seeds_have_mean_spread_and_the_paired_test(page, runs):
    row = page("digits", every=True).table("Mean ± standard deviation").row("runs 3, 4")
    assert row["val_loss"] == "0.8500 ± 0.2121"
    assert row["against the first"] == "0.6000 ± 0.1414"
    assert row["p"] == "0.11"


def test_the_verdict_names_the_best(page, runs):
    text = page("digits", every=True).text
    assert "Best: runs 1, 2, with val_loss 0.2500 ± 0.0707; ranked by it, lowest first" in text


def test_curves_lie_over_each_other_with_a_colour_for_each_configuration(page, runs):
    found = page("digits", every=True)
    series = [a["class"] for tag, a in found.attributes if tag == "g" and a.get("class", "").startswith("series")]
    assert series == ["series c0 line", "series c0 line", "series c1 line", "series c1 line"] * 2
    assert "3: seed 1, hidden [8]" in found.text
    assert "val loss" in found.text


def test_runs_that_cannot_be_ranked_say_why_and_damaged_ones_what_is_wrong(page, runs, edit):
    edit(runs[1].record_file, data={"content": "other", "split": "other"})
    runs[3].record_file.write_text("{")
    text = page("digits", every=True).text
    assert "Not ranked, because the data differs" in text
    assert "run 4 cannot be compared" in text


def test_it_is_written_into_the_current_folder(runs, outputs, tmp_path, capsys):
    assert main(["report", str(runs[0].path), str(runs[2].path), "--outputs", str(outputs)]) == 0
    assert capsys.readouterr().out.startswith("report.html (")
    assert (tmp_path / "report.html").exists()

import json
from pathlib import Path

import pytest

from dlrun.cli import main
from dlrun.config.finding import configs_folder
from dlrun.config.loading import load_config
from dlrun.config.scale import small_overrides
from dlrun.jobs.local import JobResult
from dlrun.studies import reproduce
from dlrun.studies._book_page import book_page
from dlrun.studies._claims import find_claims, find_configs

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "data: digits\nmodel: mlp\nsmall: {training.epochs: 2}\n"
        'expect: {metric: val_loss, at: 3, value: 1, tolerance: 9, seeds: 2, source: "DLwP 3.4.4, listing 3-10"}\n'
    )
    return path


@pytest.fixture
def failing_commands(monkeypatch):
    """Stands in for processes: every command fails and says why."""

    def run_jobs(jobs, slots, *, warm, on_end):
        results = []
        for job in jobs:
            job.run_dir.parent.mkdir(parents=True, exist_ok=True)
            job.run_dir.with_name(f"{job.run_dir.name}.out").write_text("error: no luck today\n")
            results.append(JobResult(job, None, 1))
            on_end(results[-1])
        return results

    monkeypatch.setattr(reproduce, "run_jobs", run_jobs)


def test_the_plan_is_shown_and_nothing_runs(config, outputs, capsys):
    assert main(["reproduce", str(config), "--dry-run", "--outputs", str(outputs), "--scale", "small"]) == 0
    shown = capsys.readouterr().out
    assert f"dlrun train {config} --scale small -s seed=2" in shown
    assert "1 stated results; 2 runs to do, about 16 s in all" in shown
    assert not outputs.exists()
    assert main(["reproduce", str(config), "--dry-run", "--outputs", str(outputs), "--json", "--seeds", "1"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [step["command"] for step in plan["steps"]] == [["dlrun", "train", str(config)]]
    assert not plan["steps"][0]["measured"]


def test_a_row_that_fails_makes_the_exit_code_and_the_table_is_written(config, outputs, capsys, failing_commands):
    table = outputs / "tables" / "mine.md"
    assert main(["reproduce", str(config), "--outputs", str(outputs), "--table", str(table)]) == 1
    told = capsys.readouterr()
    assert f"failed: {config}, val_loss at epoch 3: 1 ± 9: no luck today" in told.err
    assert told.err.count(": failed, see") == 2
    assert "1 failed" in told.out
    assert "| failed: no luck today |" in table.read_text()
    assert json.loads(table.with_suffix(".json").read_text())["rows"][0]["verdict"] == "failed"


def test_json_is_one_object_and_quiet_leaves_the_steps_out(config, outputs, capsys, failing_commands):
    assert main(["reproduce", str(config), "--outputs", str(outputs), "--json", "--quiet"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["counts"] == {"failed": 1}
    assert "dlrun train" not in told.err


def test_without_time_nothing_is_run_and_that_is_no_failure(config, outputs, capsys):
    assert main(["reproduce", str(config), "--outputs", str(outputs), "--budget", "1s"]) == 0
    assert "1 not run" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["nothing/*"], ["--budget", "soon"], ["--scale", "tiny"], ["--seeds", "0"]])
def test_what_is_asked_wrongly_is_told(words, capsys):
    assert main(["reproduce", *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_what_is_stated_becomes_a_page(config, capsys):
    assert main(["reproduce", str(config), "--docs"]) == 0
    page = capsys.readouterr().out
    assert f"| 3-10 | 3.4.4 | val_loss at epoch 3: 1 ± 9, 2 seeds | `dlrun train {config}` | DLwP 3.4.4" in page


def test_a_score_in_a_source_is_no_section(config, capsys):
    config.write_text(config.read_text().replace("DLwP 3.4.4, listing 3-10", "others have 0.96"))
    assert main(["reproduce", str(config), "--docs"]) == 0
    assert "|  |  | val_loss at epoch 3" in capsys.readouterr().out


def test_the_page_of_the_book_is_current():
    found = book_page(find_claims(find_configs(["book/*"])), ["book/*"])
    assert (ROOT / "docs" / "book.md").read_text() == found, "dlrun reproduce 'book/*' --docs > docs/book.md"


def test_every_shipped_config_can_be_shortened_as_it_says():
    shortened = 0
    for path in sorted(configs_folder().rglob("*.yaml")):
        config = load_config(path)
        if config.small:
            shortened += 1
            assert load_config(path, small_overrides(config), to_train=True) != config
    assert shortened >= 1


def test_a_typo_in_what_shortens_a_config_is_found_by_check(config, capsys):
    config.write_text(config.read_text().replace("training.epochs: 2", "training.epocs: 2"))
    assert main(["check", str(config)]) == 2
    assert "training.epocs is not a key of `training`" in capsys.readouterr().err

"""The report of one run: what stands in it, what is missing, and that nothing of a run can act in it."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import time

import pytest
from pages import Page

from dlrun.cli import main
from dlrun.report import write_report


def test_it_says_what_the_run_is_and_how_it_stands_against_the_baseline(page, run):
    text = page(run.path).text
    metrics = run.metrics()
    assert f"run {run.id}" in text
    assert f"at its best epoch, {metrics['best_epoch']} of 3" in text
    assert "better than the baseline, 2.30" in text
    assert "1,150 training, 288 validation, 359 test" in text


def test_the_metrics_stand_beside_last_epoch_and_baseline(page, run):
    metrics = run.metrics()
    row = page(run.path).table("Best by val_loss").row("val_loss")
    assert list(row)[1:] == [f"best epoch ({metrics['best_epoch']})", "last epoch (3)", "baseline", "shuffled labels"]
    assert row["baseline"].startswith("2.30")


def test_a_run_no_better_than_its_baseline_is_called_so(page, run, edit):
    edit(run.metrics_file, baselines={"val_loss": 1e-6})
    assert "not better than the baseline" in page(run.path).text


def test_only_what_is_no_default_comes_first_and_is_marked_in_the_whole(page, run):
    found = page(run.path)
    first = [row[0] for row in found.table("What is not a default").rows]
    assert "training.epochs" in first
    assert "optimizer.learning_rate" not in first
    whole = {row[0]: row[1] for row in found.table("Marked").rows}
    assert whole["training.epochs"] == "3 (not the default)"
    assert "(not" not in whole["optimizer.learning_rate"]


def test_an_evaluation_has_its_interval_classes_and_confusion(page, run, evaluated):
    evaluated(run)
    found = page(run.path)
    row = found.table("6 rows").row("accuracy")
    assert row == {"metric": "accuracy", "value": "0.5000", "95 % interval": "0.2000 to 0.8000"} | {
        "baseline": "0.4000",
        "shuffled labels": "0.3000",
    }
    assert found.table("Confusion").row("dog") == {"true \\ predicted": "dog", "cat": "2", "dog": "1"}
    assert found.table("Confused most").rows[1] == ["dog", "cat", "2", "66.7 %"]
    assert found.table("Precision").row("cat")["F1"] == "0.6000"


def test_of_two_readings_of_test_the_latest_is_shown_and_both_are_counted(page, run, evaluated):
    evaluated(run, 1)
    evaluated(run, 2)
    found = page(run.path)
    assert found.text.count("95 % interval") == 1
    assert "the test part was read 2 times" in found.text


def test_several_outputs_have_a_table_each(page, run, evaluated):
    output = {"values": {"mae": 2.0}, "rows": 6, "baselines": {"mae": 3.0}, "labels": [], "unit": "years"}
    evaluated(run, outputs={"age": output, "income": {**output, "unit": ""}}, total={"loss": 1.5})
    found = page(run.path)
    assert found.table("age in years, 6 rows").row("mae")["baseline"] == "3.0000"
    assert found.table("income, 6 rows").row("mae")["value"] == "2.0000"
    assert found.table("Of all outputs").row("loss")["value"] == "1.5000"


def test_a_thousand_classes_show_the_worst_and_the_pairs_confused_most(page, run, evaluated):
    count = 1000
    classes = [
        {"label": f"c{n}", "precision": 1.0, "recall": 1.0, "f1": n / count, "rows": 3} for n in reversed(range(count))
    ]
    matrix = [[2 if a == b else int(b == a + 1) for b in range(count)] for a in range(count)]
    score = {"rows": 3000, "values": {}, "intervals": {}, "per_class": classes, "confusion": matrix}
    evaluated(run, score=score, labels=[f"c{n}" for n in range(count)], baselines={})
    start = time.perf_counter()
    text = write_report([str(run.path)], run.path.parent.parent).read_text()
    assert time.perf_counter() - start < 5
    assert len(text) < 300_000
    found = Page(text)
    assert [row[0] for row in found.table("The 40 classes of 1,000").rows[1:4]] == ["c0", "c1", "c2"]
    assert len(found.table("Confused most").rows) == 11
    assert not [table for table in found.tables if table.caption.startswith("Confusion:")]


def test_mistakes_of_explain_are_the_worst_samples(page, run):
    folder = run.artefacts / "explain" / "mistakes"
    folder.mkdir(parents=True)
    surest = [{"row": 7, "truth": "1", "predicted": "9", "probability": 0.99, "values": "a <b>text</b>"}]
    (folder / "mistakes.json").write_text(json.dumps({"split": "validation", "rows": 50, "wrong": 4, "surest": surest}))
    found = page(run.path)
    table = found.table("Wrong answers")
    assert "4 of 50 rows of validation" in table.caption
    assert table.rows[1] == ["7", "1", "9", "0.9900", "a <b>text</b>"]


def test_pictures_of_explain_are_found_where_they_lie_with_what_they_show(page, run):
    from PIL import Image

    folder = run.artefacts / "explain" / "activations" / "row-7"
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "01-conv.png")
    there = "/elsewhere/artefacts/explain/activations/row-7/01-conv.png"
    written = [{"what": "activations", "of": "row 7", "file": there, "finding": "32 channels"}]
    written += [{"what": "activations", "of": "row 8", "file": "/explain/../../../x.txt", "finding": ""}]
    (run.artefacts / "explain" / "explain.json").write_text(json.dumps({"written": written}))
    found = page(run.path)
    assert found.values("alt", "img") == ["row 7: 32 channels"]
    assert found.table("Other files of activations").rows[1] == ["../../../x.txt", "row 8"]


@pytest.mark.parametrize("size", [40, 400])
def test_pictures_are_embedded_and_large_ones_made_smaller(page, run, size):
    from PIL import Image

    run.artefacts.mkdir()
    noise = Image.effect_noise((4 * size, 2 * size), 80)
    noise.save(run.artefacts / "noise.png")
    (source,) = page(run.path).values("src", "img")
    kind, _, code = source.partition(",")
    assert kind == "data:image/png;base64"
    content = base64.b64decode(code)
    whole = (run.artefacts / "noise.png").read_bytes()
    assert (content == whole) == (size == 40)
    assert len(content) <= len(whole)


def test_links_that_lead_out_of_the_run_and_files_that_are_no_pictures_stay_out(page, run, tmp_path):
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    run.artefacts.mkdir()
    (run.artefacts / "link.png").symlink_to(tmp_path / "secret.png")
    (run.artefacts / "text.png").write_text("password")
    found = page(run.path)
    assert not found.values("src", "img")
    assert "Not shown here, too large or not readable: link.png, text.png" in found.text


def test_pictures_stop_before_a_page_grows_too_large(page, run, monkeypatch):
    from PIL import Image

    monkeypatch.setattr("dlrun.report._pictures.MOST_BYTES", 500)
    run.artefacts.mkdir()
    for name in ("a", "b"):
        Image.effect_noise((20, 20), 80).save(run.artefacts / f"{name}.png")
    found = page(run.path)
    assert len(found.values("src", "img")) == 1
    assert "too large or not readable: b.png" in found.text


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='alert(1)\x1b[31m"


def test_no_text_of_a_run_can_act_in_the_page(page, run, edit, evaluated, history):
    edit(run.record_file, name=EVIL, description=EVIL, seed=EVIL, device=EVIL, folder=EVIL, notes=[EVIL])
    edit(run.record_file, warnings=[{"code": EVIL, "message": EVIL}], variables={EVIL: EVIL}, command=[EVIL])
    edit(run.record_file, git=[{"root": EVIL, "of": [EVIL], "commit": EVIL}], versions={EVIL: EVIL})
    metrics = {"monitor": EVIL, "best": {EVIL: 1.0}, "last": {EVIL: 1.0}, "baselines": {EVIL: 2.0}}
    edit(run.metrics_file, **metrics, expect=[{"metric": EVIL, "value": 1.0, "source": EVIL}])
    classes = [{"label": EVIL, "precision": 1.0, "recall": 1.0, "f1": 1.0, "rows": 1}] * 2
    score = {"rows": 2, "values": {EVIL: 1.0}, "per_class": classes, "confusion": [[1, 1], [0, 1]]}
    evaluated(run, split=EVIL, score=score, labels=[EVIL, EVIL], notes=[EVIL])
    history(run, **{EVIL: [1.0, 2.0], f"val_{EVIL}": [1.0, 2.0]})
    run.config_file.write_text(run.config_file.read_text().replace("name: digits", f"name: {json.dumps(EVIL)}"))
    found = page(run.path)
    assert found.tags.count("script") == 1 + found.tags.count("figure")
    assert "img" not in found.tags
    assert not [name for _, attributes in found.attributes for name in attributes if name.startswith("on")]
    assert found.text.count("alert(1)") > 20
    assert "\x1b" not in found.text


def test_the_page_forbids_itself_the_network_and_any_script_but_its_own(page, run):
    text = write_report([str(run.path)], run.path).read_text()
    found = Page(text)
    rules = found.values("content", "meta")[0]
    assert rules.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in rules
    assert "unsafe" not in rules
    assert not found.values("style")
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_links_lead_to_parts_of_the_page_and_ids_are_unique(page, run, evaluated):
    evaluated(run)
    found = page(run.path)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in found.values("href")} <= set(ids)
    assert {"metrics", "curves", "evaluations", "config", "timing", "environment"} <= set(ids)


def test_every_table_has_a_caption_and_heads_with_scopes_and_every_picture_a_text(page, run, evaluated):
    evaluated(run)
    found = page(run.path)
    assert found.tables
    for table in found.tables:
        assert table.caption, table.rows
        assert table.scopes, table.rows
        assert set(table.scopes) <= {"row", "col"}
    pictures = [attributes for tag, attributes in found.attributes if tag == "svg"]
    assert pictures
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in pictures)
    assert all(found.values("alt", "img"))


def test_a_run_that_failed_at_once_says_why(page, run, edit):
    for file in (run.metrics_file, run.history_file, run.timing_file):
        file.unlink()
    edit(run.record_file, status="failed", failure={"kind": "nan", "message": "error: loss became nan"})
    found = page(run.path)
    assert "The run failed after 0 epochs." in found.text
    assert "nan: loss became nan" in found.text
    assert {"curves", "metrics"}.isdisjoint(found.values("id"))


def test_a_run_that_did_not_begin_or_is_damaged_has_a_page_that_says_so(page, run):
    run.record_file.write_text("{")
    run.metrics_file.write_text("[1]")
    found = page(run.path)
    assert "The files of this run are damaged" in found.text
    assert "run.json cannot be read" in found.text
    run.record_file.unlink()
    assert "run.json is missing" in page(run.path).text


def test_a_part_that_cannot_be_read_is_told_in_its_place(page, run, evaluated):
    evaluated(run, score={"values": [1], "rows": "many"})
    run.config_file.write_text("name: [")
    found = page(run.path)
    assert found.text.count("This part cannot be read") == 2
    assert "timing" in found.values("id")


def test_without_a_validation_part_the_curves_are_those_of_training(page, run, edit, history):
    metrics = run.metrics()
    best = {name: value for name, value in metrics["best"].items() if not name.startswith("val_")}
    edit(run.metrics_file, validated=False, monitor="loss", best=best, last=best, baselines={"loss": 9.0})
    history(run, loss=[2.0, 1.0, 0.5])
    found = page(run.path)
    assert "measured on training, for there is no validation part" in found.text
    (told,) = [text for text in found.values("aria-label", "svg") if "by epoch" in text]
    assert told.startswith("loss by epoch: training from 2.0000 to 0.5000.")


def test_stages_have_a_table_and_a_line_where_each_later_one_began(page, run, edit, history):
    first = {"began": 0, "epochs": 5, "unfreeze": None, "learning_rate": 1e-3, "trainable_parameters": 100}
    later = {"began": 4, "epochs": 5, "unfreeze": "block5", "learning_rate": 1e-5, "trainable_parameters": 7000}
    edit(run.record_file, stages=[first, later])
    history(run, val_loss=[3.0, 2.0, 1.0, 0.9, 0.8, 0.7])
    found = page(run.path)
    assert found.table("Stages of training").rows[2] == ["2", "4", "5", "block5", "1e-05", "7,000"]
    lines = [attributes["x1"] for _, attributes in found.attributes if attributes.get("class") == "stage"]
    assert lines == ["310.0"], "between the epochs 4 and 5"
    assert "next stage" in found.text


def test_one_epoch_has_no_curves(page, run, history):
    history(run, val_loss=[3.0])
    assert "curves" not in page(run.path).values("id")


def test_stand_in_data_is_said_at_the_top(page, run, edit):
    edit(run.record_file, sample_data=True)
    assert "Generated stand-in data (--sample): the figures mean nothing." in page(run.path).text


def test_stated_results_are_judged(page, run, edit):
    edit(
        run.metrics_file, expect=[{"metric": "val_loss", "value": 0.5, "tolerance": 0.1, "measured": 0.7, "met": False}]
    )
    assert page(run.path).table("What the source states").rows[1][:4] == [
        "val_loss",
        "0.5 ± 0.1",
        "0.7",
        "not as stated",
    ]


def test_the_verb_writes_into_the_run_and_says_where(run, outputs, capsys):
    assert main(["report", "digits", "--outputs", str(outputs)]) == 0
    assert str(run.path / "report.html") in capsys.readouterr().out
    assert (
        main(["report", run.id[:15], "--outputs", str(outputs), "-o", str(outputs / "new" / "x.html"), "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found == {"file": str(outputs / "new" / "x.html"), "bytes": (outputs / "new" / "x.html").stat().st_size}


def test_a_name_that_is_neither_run_nor_study_is_told(run, outputs, capsys):
    assert main(["report", "digit", "--outputs", str(outputs)]) == 2
    assert "there is no run 'digit'" in capsys.readouterr().err


def test_it_loads_no_heavy_package(run):
    code = (
        f"from dlrun.cli import main; import sys; assert main(['report', {str(run.path)!r}]) == 0; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tensorflow", "keras", "numpy", "sklearn", "matplotlib", "scipy", "h5py"}

import json
import shutil

import pytest

from dlrun.config.loading import load_config
from dlrun.explain import Options, explain
from dlrun.predict import predict


def test_the_surest_wrong_answers_come_first_with_their_rows(digits_run, tmp_path):
    run = type(digits_run)(shutil.copytree(digits_run.path, tmp_path / "run"))
    config = load_config(run.config_file)
    only, grid = explain(run, config, [], Options(what=["mistakes"])).written
    facts = json.loads(only.file.read_text())
    assert grid.file.is_file()  # of rows that the model gets flattened
    predicted = {row["input"]: row for row in predict(run, config, split="validation").rows}
    assert facts["rows"] == len(predicted) == 288
    assert 0 < facts["wrong"] < facts["rows"]
    sure = [one["probability"] for one in facts["surest"]]
    assert sure == sorted(sure, reverse=True)
    for one in facts["surest"]:
        assert one["truth"] != one["predicted"] == predicted[f"row {one['row']}"]["prediction"]
    assert facts["wrong"] / facts["rows"] == pytest.approx(1 - run.metrics()["best"]["val_accuracy"], abs=1e-4)


@pytest.mark.parametrize("texts_run", ["multi_hot"], indirect=True)
def test_rows_are_told_as_they_were_before_they_were_prepared(table_run, texts_run):
    surest = mistakes(table_run)
    for one in surest:
        assert set(one["values"]) == {"tells", "noise", "town"}
        assert one["values"]["town"] in ("Rome", "Bern")
    for one in mistakes(texts_run):
        assert "dog" in one["values"] or len(one["values"].split()) > 5


def mistakes(run):
    """Those of training, of which there are some."""
    found = explain(run, load_config(run.config_file), [], Options(what=["mistakes"], split="training"))
    return found.written[0].facts["surest"]

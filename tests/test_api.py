import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from dlrun.api import evaluate, load_config, load_run, predict, summarise_config, train
from dlrun.errors import DataError

PAGE = (Path(__file__).parent.parent / "docs" / "notebooks.md").read_text()
HOUSES = "id,rooms,town,price\n" + "".join(
    f"{k},{k % 5 + 1},{'Bonn' if k % 3 else 'Trier'},{100.5 * (k % 5) + 20 * (k % 3)}\n" for k in range(60)
)
QUICK = "training: {epochs: 1, tensorboard: false}\nruntime: {jit_compile: false}\n"


def test_a_notebook_can_load_train_score_and_predict(tmp_path):
    config = load_config("digits", "training.epochs=2", "model.hidden=[8]", "runtime.jit_compile=false")
    run = train(config, outputs=tmp_path)
    assert repr(run) == f"Run(digits/{run.dir.id}, completed)"
    assert len(run.history) == 2
    assert run.metrics["best_epoch"] in (1, 2)
    assert run.config.model == config.model
    assert evaluate(run).reading == 1
    assert len(predict(run, split="validation").rows) == 288
    assert run.model.count_params() == summarise_config(config).parameters
    assert load_run("digits", outputs=tmp_path).dir.id == run.dir.id


def test_rows_in_memory_and_rows_in_a_file_get_the_same_predictions(digits_run, tmp_path):
    run, rows = load_run(digits_run.path), sklearn.datasets.load_digits().data[:3]
    np.save(tmp_path / "rows.npy", rows)
    found = run.predict(rows)
    assert [row["input"] for row in found.rows] == ["row 1", "row 2", "row 3"]
    for other in (run.predict(rows.tolist()), run.predict(tmp_path / "rows.npy"), predict(run, tmp_path / "rows.npy")):
        assert other.rows == found.rows
    with pytest.raises(DataError, match=r"shape \(0, 64\)"):
        run.predict(np.zeros((0, 64)))


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """The folder that the page on notebooks speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("houses.csv").write_text(HOUSES)
    Path("new_houses.csv").write_text("id,rooms,town\n7,3,Bonn\n5,,Trier\n")
    head = "name: houses\ndata: {name: csv, path: houses.csv, target: price}\nmodel: mlp\n"
    Path("houses.yaml").write_text(head + QUICK)


def test_the_notebook_of_the_docs_runs_and_a_frame_keeps_its_index(houses):
    pytest.importorskip("pandas")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)[1:]:
        exec(block, names)
    found = names["run"].predict(names["houses"])
    assert type(found) is type(names["houses"])
    assert found.index.tolist() == [7, 5]
    assert found.columns.tolist() == ["prediction"]
    assert found["prediction"].nunique() == 2
    by_file = names["run"].predict("new_houses.csv").rows
    np.testing.assert_allclose(found["prediction"], [row["prediction"] for row in by_file], rtol=1e-6)
    rows = names["run"].predict({"rooms": [3, None], "town": ["Bonn", "Trier"]}).rows
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in by_file]
    with pytest.raises(DataError, match="there are no rows"):
        names["run"].predict(names["houses"][:0])

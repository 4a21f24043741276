import json
import shutil

import pytest

from dlrun.config.loading import load_config
from dlrun.errors import ConfigError, DataError, RunDirError, UnknownNameError
from dlrun.explain import Options, explain
from dlrun.run_dir import RunDir


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of a run that a test may change."""
    return RunDir(shutil.copytree(digits_run.path, tmp_path / "run"))


def kinds(run, *sources, **options):
    found = explain(run, load_config(run.config_file), sources, Options(**options))
    return list(dict.fromkeys(one.what for one in found.written)), found


def test_all_that_fits_the_data_is_made_and_the_rest_has_a_reason(patches, table_run):
    pictures, found = kinds(patches["plain"], samples=2, steps=2, filters=2)
    assert pictures == ["activations", "filters", "heatmaps", "saliency", "mistakes"]
    assert found.left_out == {"words": "it is for texts", "importance": "it is for tables and series"}
    assert kinds(table_run)[0] == ["importance", "mistakes"]


def test_the_files_lie_in_the_run_and_are_listed_in_a_file(table_run):
    _, found = kinds(table_run)
    listed = json.loads((table_run.path / "artefacts" / "explain" / "explain.json").read_text())
    assert [found.folder / one["file"] for one in listed["written"]] == [one.file for one in found.written]
    assert all(one.file.is_relative_to(found.folder) for one in found.written)
    assert not list(found.folder.rglob(".*"))


@pytest.mark.parametrize("damage", [None, "{", '{"written": 1}'])
def test_the_list_keeps_what_earlier_calls_wrote_of_other_kinds(run, damage):
    listed = run.artefacts / "explain" / "explain.json"
    kinds(run, what=["importance"])
    if damage:
        listed.write_text(damage)
    for _ in range(2):
        kinds(run, what=["mistakes", "mistakes"])
    written = [one["file"] for one in json.loads(listed.read_text())["written"]]
    kept = [] if damage else ["importance/columns.png"]
    assert written == [*kept, "mistakes/mistakes.json", "mistakes/mistakes.png"]


def test_the_same_seed_draws_the_same_rows_of_the_validation_part(patches):
    rows = [[one.of for one in kinds(patches["plain"], what=["saliency"], seed=seed)[1].written] for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_test_is_read_only_if_asked_and_then_it_counts(run):
    kinds(run, what=["mistakes"])
    assert run.record()["test_readings"] == []
    kinds(run, what=["mistakes"], split="test")
    (reading,) = run.record()["test_readings"]
    assert reading["file"] == "artefacts/explain/explain.json"


def test_a_second_call_leaves_no_files_of_the_first(patches):
    kinds(patches["plain"], what=["activations"], samples=3)
    _, found = kinds(patches["plain"], what=["activations"], samples=1)
    assert len(list((found.folder / "activations").iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"what": ["heatmap"]}, UnknownNameError, "did you mean heatmaps"),
        ({"what": ["heatmaps"]}, ConfigError, r"heatmaps does not fit this run: it is for pictures"),
        ({"what": ["activations"], "layers": ["dens"]}, UnknownNameError, r"no layer 'dens'(.|\n)*did you mean dense"),
        ({"split": "other"}, DataError, r"no other part(.|\n)*training, validation, test"),
        ({"task": "digits"}, UnknownNameError, r"no task 'digits'(.|\n)*did you mean digit"),
    ],
)
def test_what_cannot_be_explained_is_told(digits_run, options, error, message):
    with pytest.raises(error, match=message):
        kinds(digits_run, **options)


def test_a_run_without_weights_is_told(run):
    run.model_file("best").unlink()
    with pytest.raises(RunDirError, match=r"there is no model at .*best\.keras"):
        kinds(run)


def test_a_convnet_is_what_filters_and_heat_maps_need(tmp_path, outputs):
    from dlrun.config.loading import config_from_mapping
    from dlrun.train import train

    keys = {"data": {"name": "digits", "image": True}, "model": {"name": "layers", "layers": ["Flatten"]}}
    training = {"epochs": 1, "batch_size": 512, "tensorboard": False}
    flat = train(config_from_mapping({"name": "flat", "training": training, **keys}), outputs=outputs)
    with pytest.raises(ConfigError, match="heatmaps does not fit this run: the model has no convolution"):
        kinds(flat, what=["heatmaps"])
    assert kinds(flat, what=["saliency"], samples=1)[0] == ["saliency"]

"""`dlrun tensorboard`: which runs, under which names, and what TensorBoard finds there."""

import json
import shutil
import sys
import urllib.request

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

from dlrun.cli import main
from dlrun.engine.scalars import ScalarLog
from dlrun.errors import ConfigError, RunDirError
from dlrun.run_dir import RunDir
from dlrun.studies.tensorboard import link_logs, runs_to_show, serve


@pytest.fixture
def two_runs(digits_run, outputs):
    """Two runs with logs under `outputs/digits/`, of 16 and 8 units."""
    runs = [RunDir(outputs / "digits" / f"20260101-00000{number}-abcdef") for number in (1, 2)]
    for run in runs:
        shutil.copytree(digits_run.path, run.path)
        log = ScalarLog(run.tensorboard)
        log.write(digits_run.history())
        log.close()
    runs[1].config_file.write_text(runs[1].config_file.read_text().replace("hidden: [16]", "hidden: [8]"))
    return runs


def test_a_name_means_its_latest_run_and_all_of_them_if_so_asked(two_runs, outputs):
    first, second = (f"digits/{run.id}" for run in two_runs)
    assert list(runs_to_show(["digits"], outputs)) == [second]
    assert list(runs_to_show(["digits"], outputs, every=True)) == [first, second]
    assert list(runs_to_show([two_runs[0].id, "-"], outputs)) == [first, second]
    assert sorted(runs_to_show([], outputs)) == [first, second]


def test_a_study_stands_for_its_runs(two_runs, outputs):
    study = outputs / "folds" / "20260101-000003-abcdef-kfold"
    shutil.copytree(two_runs[0].path, study / "fold-1")
    shutil.copytree(two_runs[1].path, study / "fold-2")
    (study / "study.json").write_text('{"format": 1, "status": "completed", "verb": "kfold"}')
    names = [f"{study.name}/fold-1", f"{study.name}/fold-2"]
    assert list(runs_to_show([str(study)], outputs)) == names
    assert list(runs_to_show(["folds"], outputs)) == names


def test_runs_without_logs_are_told(digits_run, tmp_path):
    with pytest.raises(RunDirError, match="no logs for TensorBoard"):
        runs_to_show([str(digits_run.path)], tmp_path)


def test_logs_are_found_below_the_name_of_the_run_with_the_parameters_that_differ(two_runs, outputs, tmp_path):
    runs = runs_to_show(["digits"], outputs, every=True)
    link_logs(tmp_path / "logs", runs)
    found = {}
    for name in runs:
        scalars = EventAccumulator(str(tmp_path / "logs" / name / "validation")).Reload().Scalars("epoch_loss")
        assert [one.value for one in scalars] == pytest.approx([row["val_loss"] for row in two_runs[0].history()])
        events = EventAccumulator(str(tmp_path / "logs" / name)).Reload()
        contents = [events.SummaryMetadata(tag).plugin_data.content for tag in events.PluginTagToContent("hparams")]
        (values,) = (dict(parse_session_start_info_plugin_data(one).hparams) for one in contents if one)
        found[name] = {key: value.string_value for key, value in values.items()}
    assert list(found.values()) == [{"model.hidden": "[16]"}, {"model.hidden": "[8]"}]


def test_a_run_that_has_no_logs_yet_is_seen_when_it_has(two_runs, outputs, tmp_path):
    shutil.rmtree(two_runs[0].tensorboard)
    link_logs(tmp_path / "logs", runs_to_show(["digits"], outputs, every=True))
    place = tmp_path / "logs" / "digits" / two_runs[0].id / "train"
    assert not place.exists()
    shutil.copytree(two_runs[1].tensorboard, two_runs[0].tensorboard)
    assert any(place.iterdir())


@pytest.mark.slow  # TensorBoard's server needs 4 s to start
def test_the_server_tells_the_runs_by_their_names(two_runs, outputs, tmp_path):
    link_logs(tmp_path / "logs", runs_to_show(["digits"], outputs))
    address = serve(tmp_path / "logs", port=0)
    runs = []
    while not runs:
        with urllib.request.urlopen(f"{address}data/runs") as page:
            runs = json.load(page)
    assert f"digits/{two_runs[1].id}/validation" in runs
    port = int(address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigError, match="TensorBoard cannot start"):
        serve(tmp_path / "logs", port=port)


def test_a_missing_tensorboard_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match="TensorBoard is not installed"):
        serve(tmp_path)


def test_the_verb_prints_the_address_and_leaves_nothing_behind(two_runs, outputs, monkeypatch, capsys):
    folders = []
    monkeypatch.setattr("dlrun.studies.tensorboard.serve", lambda folder, **_: folders.append(folder) or "http://here/")
    monkeypatch.setattr("dlrun.cli.tensorboard._wait", lambda: None)
    assert main(["tensorboard", "digits", "--json", "--outputs", str(outputs)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"address": "http://here/", "runs": {f"digits/{two_runs[1].id}": str(two_runs[1].path)}}
    assert not folders[0].exists()

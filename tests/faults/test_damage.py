"""A file of a run that is cut, overwritten or gone: a clear error or a right answer. `make faults` takes them all."""

from pathlib import Path

import pytest
from damaging import DAMAGES, FOLDER_DAMAGES, LOOKING, all_looks, look, make_subjects


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlrun.engine.recorder.WRITING_SHARE", 1e9)  # epochs of milliseconds are written, too
        patch.setattr("matplotlib.figure.Figure.savefig", lambda _figure, path, **_options: Path(path).touch())
        yield make_subjects(tmp_path_factory.mktemp("damaged"))


@pytest.mark.parametrize(
    ("kind", "verb", "name", "how"),
    [
        ("finished", "runs", "run.json", "removed"),
        ("finished", "show", "metrics.json", "removed"),
        ("finished", "compare", "config.yaml", "cut before its last line"),
        ("interrupted", "compare", "history.csv", "cut before its last line"),
        ("finished", "evaluate", "best.keras", "cut by a byte"),
        ("finished", "predict", "preprocess/preprocess.json", "cut in half"),
        ("finished", "retrain", "metrics.json", "emptied"),
        pytest.param("finished", "verify", "best.keras", "cut in half", marks=pytest.mark.slow),
        ("finished", "verify", "history.csv", "filled with noise"),
        ("interrupted", "resume", "config.yaml", "cut before its last line"),
        ("interrupted", "resume", "checkpoint/000003/arrays.npz", "cut by a byte"),
        ("interrupted", "resume", "checkpoint", "a file now"),
    ],
)
def test_a_damaged_run_gets_a_clear_error_or_a_right_answer(subjects, kind, verb, name, how):
    damages = FOLDER_DAMAGES if how in FOLDER_DAMAGES and name == "checkpoint" else DAMAGES
    assert look(subjects[kind], verb, name, damages[how]) is None


@pytest.mark.slow
@pytest.mark.parametrize("verb", LOOKING)
@pytest.mark.parametrize("kind", ["finished", "interrupted"])
def test_verbs_that_look_at_runs_bear_every_damage(subjects, kind, verb):
    found = list(all_looks(subjects[kind], verb))
    assert len(found) > 150
    assert [entry for entry in found if entry[2]] == []


@pytest.mark.parametrize("verb", ["show", pytest.param("evaluate", marks=pytest.mark.slow)])
def test_a_wrong_answer_is_seen(subjects, verb):
    def lie(file):
        text = file.read_text()
        changed = text.replace('"epochs": 6', '"epochs": 5').replace("test: 1000", "test: 900")
        assert changed != text
        file.write_text(changed)

    name = {"show": "metrics.json", "evaluate": "config.yaml"}[verb]
    assert look(subjects["finished"], verb, name, lie)

"""What a run made, by epoch, on its page."""

import pytest

from dlrun.engine.artefacts import Artefact, list_artefacts
from dlrun.report import write_report


@pytest.fixture
def html(run, outputs):
    """Gives the page of the run."""
    return lambda: write_report([str(run.path)], outputs).read_text()


def _texts(run, epochs, text="once upon"):
    run.artefacts.mkdir(exist_ok=True)
    for epoch in epochs:
        file = run.artefacts / f"text-{epoch}.txt"
        file.write_text(f"{text} {epoch}")
        list_artefacts(run, [Artefact(file, "text at temperature 0.5")], epoch=epoch)


def test_the_newest_text_is_shown_and_earlier_ones_are_folded_away(run, html):
    _texts(run, range(1, 40))
    section = html().partition("What the run made</h2>")[2].partition("<h2")[0]
    newest, _, earlier = section.partition("<details>")
    assert "once upon 39" in newest
    assert "once upon 1<" in earlier
    assert earlier.count("once upon") == 10
    assert "Earlier: 10 of 38" in earlier


def test_a_text_of_a_run_cannot_act_and_is_cut(run, html):
    _texts(run, [1], "<script>alert(1)</script>" + "x" * 10_000)
    found = html()
    assert "<script>alert(1)" not in found
    assert "&lt;script&gt;alert(1)" in found
    assert "x" * 5_000 not in found


def test_files_that_a_damaged_record_names_elsewhere_are_not_shown(run, html, edit, outputs):
    (outputs / "secret.txt").write_text("a secret")
    edit(run.record_file, artefacts=[{"file": "../../secret.txt", "what": "text", "epoch": 1}, 7, {"what": 3}])
    assert "a secret" not in html()


def test_what_generate_made_is_shown_once(run, html):
    folder = run.artefacts / "generated" / "001"
    folder.mkdir(parents=True)
    (folder / "0.5.txt").write_text("made later")
    assert html().count("made later") == 1

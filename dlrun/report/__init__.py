"""One self-contained HTML file on a run, a study, or several runs: read from their files alone, without Keras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlrun.errors import ConfigError, UnknownNameError
from dlrun.files import make_folder, write_text
from dlrun.run_dir import RunDir, find_run
from dlrun.studies._study_dir import StudyDir, find_study

FILE = "report.html"


def write_report(texts: Sequence[str], outputs: Path, *, file: Path | None = None, every: bool = False) -> Path:
    """Write the report of one run or study, or of several runs, and return its path.

    Without a `file` it is `report.html` in the run or study, for several runs in the current folder. `every` takes all
    runs of a name, or in a folder. Raises UnknownNameError, ConfigError, RunDirError.
    """
    if len(texts) > 1 or every:
        return _report_several(texts, outputs, file, every=every)
    found = find(texts[0], outputs)
    if isinstance(found, StudyDir):
        from dlrun.report._study import study_page

        return _write(file or found.path / FILE, study_page(found))
    from dlrun.report._run import run_page

    return _write(file or found.path / FILE, run_page(found))


def find(text: str, outputs: Path) -> RunDir | StudyDir:
    """The run, or else the study, that is meant. Raises UnknownNameError, RunDirError."""
    if text != "-" and (Path(text) / "study.json").exists():
        return find_study(text, outputs)
    if text != "-" and (Path(text) / "config.yaml").exists():
        return RunDir(Path(text).absolute())  # also one that did not begin, or has lost its record
    try:
        return find_run(text, outputs)
    except UnknownNameError as no_run:
        try:
            return find_study(text, outputs)
        except UnknownNameError:
            raise no_run from None


def _report_several(texts: Sequence[str], outputs: Path, file: Path | None, *, every: bool) -> Path:
    from dlrun.report._several import several_page

    studies = [] if every else [text for text in texts if isinstance(find(text, outputs), StudyDir)]
    if studies:
        raise ConfigError("a study is reported by itself", received=studies[0], hint=f"dlrun report {studies[0]}")
    return _write(file or Path(FILE).absolute(), several_page(texts, outputs, every=every))


def _write(path: Path, text: str) -> Path:
    make_folder(path.parent)
    write_text(path, text)
    return path

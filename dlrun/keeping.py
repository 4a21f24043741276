"""Which weights of a run stay on disk after its end, and what is said of those that do not."""

from __future__ import annotations

from pathlib import Path

from dlrun.errors import RunDirError
from dlrun.files import discard, typed
from dlrun.run_dir import RunDir

ALL, BOTH, BEST, LAST, NONE = "all", "both", "best", "last", "none"


def keep_only(run: RunDir, keep: str, why: str) -> None:
    """Remove the checkpoints of a run that has ended, unless `keep` is all, and the models it does not name.

    `run.json` says first what goes and why, so that who looks for it later hears the reason. Raises RunDirError.
    """
    patterns = ["checkpoint"] * (keep != ALL) + ["best*.keras"] * (keep in (LAST, NONE))
    patterns += ["last*.keras"] * (keep in (BEST, NONE)) + ["estimator.skops"] * (keep == NONE)
    paths = [path for pattern in patterns for path in sorted(run.path.glob(pattern))]
    if not paths:
        return
    before = (run.record().get("removed") or {}).get("files", [])
    run.update(removed={"files": sorted({*before, *(path.name for path in paths)}), "why": why})
    for path in paths:
        discard(path)


def check_model(path: Path) -> None:
    """Raise RunDirError when there is no such file of a model, with the reason where the run knows it."""
    if path.is_file():
        return
    removed = _removed(path)
    if path.name in removed.get("files", []):
        raise RunDirError(
            f"{path.name} of the run {path.parent.name} was removed: {removed.get('why')}",
            hint=f"train it again: dlrun train {typed(path.parent / 'config.yaml')} -s training.keep=all",
        )
    if named := sorted(one.name for one in path.parent.glob(f"{path.stem}-*{path.suffix}")):
        raise RunDirError(
            f"the run {path.parent.name} has no {path.name}: its models have names",
            received=", ".join(named),
            hint=f"dlrun generate {typed(path.parent)}; each is one of plain Keras, too",
        )
    hint = "the run has no finished epoch, its routine trains no model, or the file was removed"
    raise RunDirError(f"there is no model at {path}", hint=hint)


def _removed(path: Path) -> dict[str, list[str]]:
    try:
        removed = RunDir(path.parent).record().get("removed")
    except RunDirError:
        return {}
    return removed if isinstance(removed, dict) else {}

"""What the folds of a study say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlrun.config.schema import Config, Kfold
from dlrun.run_dir import FORMAT, RunDir
from dlrun.studies._averaging import (
    Row,
    best_epoch,
    common_names,
    dropped_for,
    interval_method,
    mean_curve,
    smoothed,
    smoothing_for,
    spreads_at,
)


@dataclass(frozen=True)
class FoldResult:
    """A completed fold: its history, and the factors that bring metrics of a scaled target into original units."""

    run: RunDir
    history: list[Row]
    metrics: dict[str, Any]
    rows: dict[str, int]
    kind: str
    factors: Row

    def in_original_units(self, row: Row) -> Row:
        """Those metrics of a row that scale with the target, in its own units; empty when it was not scaled."""
        return {name: row[name] * factor for name, factor in self.factors.items() if name in row}


def read_fold(run: RunDir) -> FoldResult:
    """The result of a completed fold. Raises RunDirError."""
    metrics, split = run.metrics(), dict(run.record().get("split") or {})
    best = metrics["best"]
    factors = {name: value / best[name] for name, value in metrics.get("best_original", {}).items() if best[name]}
    return FoldResult(run, run.history(), metrics, split, split.pop("kind", ""), factors)


def summarise(config: Config, folds: Sequence[FoldResult]) -> dict[str, Any]:
    """The content of `summary.json` that comes from the runs alone.

    `metrics` are those at the last epoch of each fold, `best` at the recommended epoch, which is the best one of the
    smoothed mean curve of the monitored metric.
    """
    kfold = config.kfold or Kfold()  # type: ignore[call-arg]
    counts = kfold.n_splits, kfold.repeats
    monitor, mode = folds[0].metrics["monitor"], folds[0].metrics["mode"]
    curve = mean_curve([fold.history for fold in folds])
    epochs = len(curve)
    factor, dropped = smoothing_for(epochs, kfold.smoothing), dropped_for(epochs, kfold.dropped_epochs)
    chosen = best_epoch([row[monitor] for row in curve], mode, factor, dropped)
    last, best = [fold.history[-1] for fold in folds], [fold.history[chosen - 1] for fold in folds]
    levels = [fold.metrics["baselines"] for fold in folds]
    return {
        "format": FORMAT,
        "name": config.name,
        "n_splits": kfold.n_splits,
        "repeats": kfold.repeats,
        "kind": folds[0].kind,
        "rows": [fold.rows for fold in folds],
        "monitor": monitor,
        "mode": mode,
        "epochs": epochs,
        "fold_epochs": [len(fold.history) for fold in folds],
        "smoothing": factor,
        "dropped_epochs": dropped,
        "recommended_epochs": chosen,
        "interval": interval_method(*counts),
        "metrics": spreads_at(last, *counts),
        "best": spreads_at(best, *counts),
        "metrics_original": _original(folds, last, counts),
        "best_original": _original(folds, best, counts),
        "baselines": {name: sum(level[name] for level in levels) / len(levels) for name in common_names(levels)},
        "folds": [_fold_entry(fold) for fold in folds],
        "notes": _notes(folds, epochs, dropped, kfold),
    }


def curve_rows(summary: dict[str, Any], folds: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """The rows of `curve.csv`: the epoch, the mean of each metric, and smoothed what is validated."""
    curve = mean_curve([fold.history for fold in folds])
    factor, dropped = summary["smoothing"], summary["dropped_epochs"]
    rows: list[dict[str, Any]] = [{"epoch": epoch, **row} for epoch, row in enumerate(curve, 1)]
    names = [name for name in curve[0] if name.startswith("val_") and not name.endswith("_std")]
    for name in names:
        points = smoothed([row[name] for row in curve], factor, dropped)
        for row, point in zip(rows[dropped:], points, strict=True):
            row[f"{name}_smoothed"] = point
    return rows


def _original(folds: Sequence[FoldResult], rows: Sequence[Row], counts: tuple[int, int]) -> dict[str, Any]:
    """`spreads_at` in the target's own units; each fold has a scale of its own."""
    found = [fold.in_original_units(row) for fold, row in zip(folds, rows, strict=True)]
    return spreads_at(found, *counts) if all(found) else {}


def _fold_entry(fold: FoldResult) -> dict[str, Any]:
    metrics = fold.metrics
    best = {"best_epoch": metrics["best_epoch"], "best": metrics["best"], "last": metrics["last"]}
    return {"run": fold.run.id, "epochs": metrics["epochs"], "seconds": metrics["seconds"], **best}


def _notes(folds: Sequence[FoldResult], epochs: int, dropped: int, kfold: Kfold) -> list[str]:
    notes = []
    lengths = [len(fold.history) for fold in folds]
    if len(set(lengths)) > 1:
        stopped = ", ".join(map(str, lengths))
        notes.append(
            f"the folds ended after {stopped} epochs: the curve and the recommended epochs are over the first {epochs} "
            "only; without EarlyStopping (-s callbacks=[]) the folds are of equal length"
        )
    if kfold.dropped_epochs is not None and dropped < kfold.dropped_epochs:
        notes.append(f"kfold.dropped_epochs: of {epochs} epochs {dropped} are left out")
    return notes

"""The curves of a study: as they are, and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlrun.files import make_folder
from dlrun.studies._summary import FoldResult


def draw(folder: Path, curve: Sequence[dict[str, Any]], folds: Sequence[FoldResult], summary: dict[str, Any]) -> None:
    """`raw.png` (the mean and each fold) and `smoothed.png` (recommended epoch marked), the monitor first."""
    from dlrun.drawing import draw_mean_curves

    make_folder(folder)
    monitor, dropped = summary["monitor"], summary["dropped_epochs"]
    names = [name for name in curve[0] if name.startswith("val_") and not name.endswith(("_std", "_smoothed"))]
    names = [monitor, *(name for name in names if name != monitor)]
    epochs = [row["epoch"] for row in curve]
    each = {name: [[row[name] for row in fold.history[: len(curve)]] for fold in folds] for name in names}
    draw_mean_curves(epochs, {name: [row[name] for row in curve] for name in names}, folder / "raw.png", each=each)
    kept = curve[dropped:]
    points = {name: [row.get(f"{name}_smoothed", row[name]) for row in kept] for name in names}
    draw_mean_curves(
        epochs[dropped:],
        points,
        folder / "smoothed.png",
        marked=summary["recommended_epochs"],
        title=f"moving average, factor {summary['smoothing']:.2g}, without the first {dropped} epochs",
    )

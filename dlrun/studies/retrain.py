"""The book's last step (DLwP 4.5.7): a fresh model on training + validation, for the best number of epochs."""

from __future__ import annotations

from collections.abc import Sequence

from dlrun.config.schema import Component, Config, Monitor
from dlrun.errors import RunDirError
from dlrun.run_dir import RunDir

_MONITORING = ("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint")


def plan(
    run: RunDir, config: Config, *, epochs: int | None = None, batch_size: int | None = None
) -> tuple[Config, list[str]]:
    """The config of the final run after `run`, and notes on what was changed.

    Its stages begin where they began in that run. Raises RunDirError when the run has no best epoch.
    """
    best = epochs or run.metrics().get("best_epoch")
    if not best:
        raise RunDirError(f"the run {run.id} has no best epoch", hint="say how long: dlrun retrain RUN --epochs 10")
    final, notes = on_all_rows(config, best, batch_size, run.stages_began())
    if not epochs:
        notes[0] += ", the best number of the parent run"
    return final, notes


def on_all_rows(
    config: Config, epochs: int, batch_size: int | None, stages_began: Sequence[int] = ()
) -> tuple[Config, list[str]]:
    """The config without a validation part, and notes on what was changed.

    Validation rows join the training part; callbacks that watch a validation metric go; the test part stays the same.
    `stages_began` is as in `Training.with_epochs`.
    """
    notes = [f"{epochs} epochs on training + validation"]
    kept = [c for c in config.callbacks if not _watches_validation(c, config)]
    dropped = [c.name for c in config.callbacks if _watches_validation(c, config)]
    if dropped:
        notes.append(f"without {' and '.join(dropped)}: there is no validation part to watch")
    if config.split.training is not None:
        notes.append("all rows outside of test train, those that split.training left out included")
    training = config.training.with_epochs(epochs, stages_began)
    return config.model_copy(
        update={
            "name": f"{config.name.removesuffix('-retrain')}-retrain",
            "split": config.split.model_copy(update={"validation": 0, "training": None, "fold": None}),
            "training": training.model_copy(update={"batch_size": batch_size or training.batch_size}),
            "monitor": Monitor(),  # type: ignore[call-arg]
            "callbacks": kept,
            "expect": [],
        }
    ), notes


def _watches_validation(callback: Component, config: Config) -> bool:
    """Whether a callback monitors a `val_` metric: its own, or that of the section `monitor`."""
    if callback.name not in _MONITORING and "monitor" not in callback.parameters:
        return False
    monitored = callback.parameters.get("monitor") or config.monitor.metric
    return str(monitored or "val_loss").startswith("val_")

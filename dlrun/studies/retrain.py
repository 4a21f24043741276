"""The book's last step (DLwP 4.5.7): a fresh model on training + validation, for the best number of epochs."""

from __future__ import annotations

from dlrun.config.schema import Component, Config, Monitor
from dlrun.errors import RunDirError
from dlrun.run_dir import RunDir

_MONITORING = ("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint")


def plan(
    run: RunDir, config: Config, *, epochs: int | None = None, batch_size: int | None = None
) -> tuple[Config, list[str]]:
    """The config of the final run, and notes on what was changed.

    Validation rows join the training part; callbacks that watch a validation metric go; the test part stays the same.
    Raises RunDirError when the run has no best epoch.
    """
    best = epochs or run.metrics().get("best_epoch")
    if not best:
        raise RunDirError(f"the run {run.id} has no best epoch", hint="say how long: dlrun retrain RUN --epochs 10")
    notes = [f"{best} epochs on training + validation" + ("" if epochs else ", the best number of the parent run")]
    kept = [c for c in config.callbacks if not _watches_validation(c, config)]
    dropped = [c.name for c in config.callbacks if _watches_validation(c, config)]
    if dropped:
        notes.append(f"without {' and '.join(dropped)}: there is no validation part to watch")
    if config.split.training is not None:
        notes.append("all rows outside of test train, those that split.training left out included")
    record = run.record() if run.record_file.exists() else {}  # the final run of a k-fold has no parent
    began = [stage["began"] for stage in record.get("stages", [])]
    training = config.training.with_epochs(best, began)
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
    monitored = callback.parameters.get("monitor") or (config.monitor.metric if callback.name in _MONITORING else None)
    return callback.name in _MONITORING and str(monitored or "val_loss").startswith("val_")

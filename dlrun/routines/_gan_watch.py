"""Notices when one of a GAN's two nets has lost (DLwP 8.5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from dlrun.engine.guard_rails import Finding, tell
from dlrun.engine.resolve import Experiment

EPOCHS = 3  # for so many in a row
WON_LOSS = 0.05  # of a discriminator that is hardly ever wrong
COLLAPSED_SHARE = 0.1  # of the data's variance


class GanWatch(keras.callbacks.Callback):
    """Tells once of a discriminator whose loss has gone to zero while the adversarial loss rises, and once of pictures
    that are all alike: when they have become so, or, since they begin so, at the end. Nothing is stopped: either may
    pass.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self._experiment = experiment
        self.recent: list[dict[str, float]] = []  # public, so that checkpoints keep them
        self.told: list[str] = []
        self.spread = False  # whether pictures once differed

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.recent = [*self.recent, {name: float(value) for name, value in (logs or {}).items()}][-EPOCHS:]
        if len(self.recent) == EPOCHS:
            ended = self.model.stop_training or epoch + 1 == self.params.get("epochs")
            found = [one for one in failures(self.recent, epoch + 1) if one.code not in self.told]
            found = [one for one in found if one.code != "collapse" or self.spread or ended]
            self.told += [one.code for one in found]
            tell(self._experiment, found)
        self.spread = self.spread or _share(self.recent[-1]) >= COLLAPSED_SHARE


def failures(rows: list[dict[str, float]], epoch: int) -> Iterator[Finding]:
    """What the rows of some epochs, the last of them `epoch`, have in common that should not be."""
    since = f"since epoch {epoch - len(rows) + 1}"
    first, last = rows[0]["adversarial_loss"], rows[-1]["adversarial_loss"]
    if all(row["discriminator_loss"] < WON_LOSS for row in rows) and last > first:
        yield Finding(
            "discriminator",
            f"the discriminator has won {since}: its loss is {rows[-1]['discriminator_loss']:.3g}, and the adversarial "
            f"loss rose from {first:.3g} to {last:.3g}, so the generator learns little (DLwP 8.5.2); a lower "
            "learning_rate in routine.discriminator_optimizer, a higher model.dropout",
        )
    if all(_share(row) < COLLAPSED_SHARE for row in rows):
        yield Finding(
            "collapse",
            f"the generated pictures are nearly all alike {since}: their variance is {_share(rows[-1]):.1%} of the "
            "data's; more epochs, if they have only begun; else lower learning rates, another seed, more label_noise",
        )


def _share(row: dict[str, float]) -> float:
    """The variance of generated pictures, by that of the data."""
    return row["sample_variance"] / max(row["data_variance"], 1e-12)

"""Which class of each sample is explained, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.explain._scores import chosen_classes, class_shares
from dlrun.explain._subject import Subject


@dataclass(frozen=True)
class Explained:
    """The class `(rows,)` of each sample that is explained, with its probability; of numbers what is predicted."""

    subject: Subject
    classes: np.ndarray
    shares: np.ndarray

    def finding(self, place: int) -> str:
        """`cat 0.93`, or the number."""
        if not self.subject.task.classifies:
            return f"{self.shares[place]:g}"
        return f"{self.label(place)} {self.shares[place]:.4f}"

    def label(self, place: int) -> str:
        """The class of one sample; empty for numbers."""
        task = self.subject.task
        return task.labels[int(self.classes[place])] if task.classifies else ""

    def title(self, place: int) -> str:
        """The sample, what it is and what is explained."""
        truth = self.subject.truth[place]
        known = f" is {truth}" if truth is not None else ""
        return f"{self.subject.texts[place]}{known}; explained: {self.finding(place)}"

    def facts(self, place: int) -> dict[str, Any]:
        """The same as JSON values."""
        subject = self.subject
        found = {"sample": subject.texts[place], "truth": subject.truth[place], "target": subject.options.target}
        if not subject.task.classifies:
            return found | {"prediction": float(self.shares[place])}
        return found | {"class": self.label(place), "probability": float(self.shares[place])}


def predicted(subject: Subject, inputs: Any) -> np.ndarray:
    """What the model predicts `(batch, units)`: probabilities, or numbers in their original units."""
    found = subject.model.predict_on_batch(inputs)
    found = found[subject.task_name] if isinstance(found, dict) else found
    probabilities = subject.scorer.probabilities(np.asarray(found))
    return subject.scale.invert(probabilities) if subject.scale else probabilities


def explained_classes(subject: Subject) -> Explained:
    """The class that is named, else what is predicted, for each sample. Raises UnknownNameError."""
    probabilities = predicted(subject, keras.ops.convert_to_numpy(subject.inputs))
    classes = chosen_classes(subject.task, probabilities, subject.options.class_name)
    return Explained(subject, classes, class_shares(subject.task, probabilities, classes))

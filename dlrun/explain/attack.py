"""How little it takes to mislead a classifier: pictures moved against their own class (DLwP 9.2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dlrun.data._checks import class_codes
from dlrun.data_pictures import draw_images
from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.scoring import predicted_labels
from dlrun.explain._pictures import draw_lines
from dlrun.explain._pictures import written as written_whole
from dlrun.explain._scores import Scorer, class_shares
from dlrun.explain._subject import Subject, Written
from dlrun.files import write_json
from dlrun.seeds import child_seed

SIZES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # of the range of the pixels
MOST_ROWS, MOST_VALUES = 1000, 2**25  # of the split, drawn by the seed
MOST_SHOWN = 4  # sizes beside the unchanged picture
STEPS = 10  # of the iterated attack
WAYS = {
    "one step": "along the sign of the slope",
    "iterated": f"{STEPS} steps within the same bounds",
    "random": "random signs",
}
_BATCH = 128
_STRIDE = 2.5  # of the bounds that all steps together may go (Madry et al. 2018)

Attack = Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]  # pictures, classes, size, seed to other pictures


@dataclass(frozen=True)
class _Range:
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def cut(self, pictures: np.ndarray) -> np.ndarray:
        return np.clip(pictures, self.low, self.high)


def explain_attack(subject: Subject) -> list[Written]:
    """Accuracy against the size of a change of each pixel, and a few pictures with what they are taken for.

    A change is towards what the model takes for any other class: one step along the sign of the slope (Goodfellow et
    al., Explaining and Harnessing Adversarial Examples, 2015), or several. Random signs of the same size stand beside
    it. Sizes are shares of the range of the pixels, to which all pictures are cut.
    """
    data, options, task = subject.data, subject.options, subject.task
    assert data is not None, "own inputs have no labels"
    rows = data.splits[options.split]
    shape = next(iter(subject.encoder.inputs().values())).shape
    most = min(MOST_ROWS, max(1, MOST_VALUES // math.prod(side or 1 for side in shape)), len(rows))
    rows = np.sort(np.random.default_rng(child_seed(options.seed, "attack")).choice(rows, most, replace=False))
    truth = class_codes(data.original_targets[subject.task_name][rows], task)
    assert truth is not None, "it is for classes"
    pictures = keras.ops.convert_to_numpy(subject.feeder.inputs(rows)).astype("float32")
    ways = _ways(subject, _Range(float(pictures.min()), float(pictures.max())))
    guess, sizes = _Guesses(subject), sorted(set(options.sizes or SIZES))
    shown = _right_ones(guess, pictures, truth)[: options.samples]
    examples = {0.0: pictures[shown]}
    accuracy: dict[str, list[float]] = {name: [] for name in ways}
    for size in sizes:
        for name, way in ways.items():
            changed = way(pictures, truth, size, options.seed)
            accuracy[name].append(guess.accuracy(changed, truth))
            if name == "one step":
                examples[size] = changed[shown]
    unchanged = guess.accuracy(pictures, truth)
    facts = {"split": options.split, "rows": len(rows), "sizes": sizes, "unchanged": unchanged, "accuracy": accuracy}
    return [*_written(subject, facts), _examples_written(subject, guess, examples)]


def _ways(subject: Subject, bounds: _Range) -> dict[str, Attack]:
    """The attacks by name, see WAYS; each moves no pixel further than the size."""
    slope = _slopes(subject)

    def one_step(pictures: np.ndarray, truth: np.ndarray, size: float, _seed: int) -> np.ndarray:
        return bounds.cut(pictures - np.float32(size * bounds.width) * np.sign(slope(pictures, truth)))

    def iterated(pictures: np.ndarray, truth: np.ndarray, size: float, _seed: int) -> np.ndarray:
        most = np.float32(size * bounds.width)
        changed = pictures
        for _ in range(STEPS):
            changed = changed - np.float32(_STRIDE / STEPS) * most * np.sign(slope(changed, truth))
            changed = bounds.cut(np.clip(changed, pictures - most, pictures + most))
        return changed

    def random(pictures: np.ndarray, _truth: np.ndarray, size: float, seed: int) -> np.ndarray:
        signs = np.random.default_rng(child_seed(seed, "attack", "signs")).choice((-1, 1), pictures.shape)
        return bounds.cut(pictures + np.float32(size * bounds.width) * signs.astype("float32"))

    return dict(zip(WAYS, (one_step, iterated, random), strict=True))


def _slopes(subject: Subject) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The slope of the log-odds of each picture's own class by its pixels.

    It has the signs of the crossentropy's slope, since both grow together, and does not become 0 where the model is
    sure and its probability 1.
    """
    task = subject.task
    scorer = Scorer(subject.model, subject.task_name, task, subject.config.output(subject.task_name).loss, "logit")
    logits = not scorer.note

    def slopes(pictures: Any, own: Any) -> Any:
        return gradient(lambda at: (log_odds(scorer.outputs(at), own, logits=logits), None), pictures)[0]

    run = compiled(slopes, subject.model)

    def of_all(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
        weights = scorer.class_weights(truth)
        found = [
            keras.ops.convert_to_numpy(
                run(
                    keras.ops.convert_to_tensor(pictures[at : at + _BATCH]),
                    keras.ops.convert_to_tensor(weights[at : at + _BATCH]),
                )
            )
            for at in range(0, len(pictures), _BATCH)
        ]
        return np.concatenate(found)

    return of_all


def log_odds(outputs: Any, own: Any, *, logits: bool) -> Any:
    """The log-odds of the own classes of a batch, summed: of logits or probabilities `(batch, units)`.

    `own` `(batch, units)` has a one for the own class; with one unit for two classes it is 1 or -1.
    """
    outputs = keras.ops.cast(outputs, "float32")
    if not logits:
        shares = keras.ops.clip(outputs, 1e-7, 1 - 1e-7)
        outputs = keras.ops.log(shares) - keras.ops.log(1 - shares)
        return keras.ops.sum(outputs * own)
    if outputs.shape[-1] == 1:
        return keras.ops.sum(outputs * own)
    others = keras.ops.logsumexp(outputs - 1e9 * own, axis=-1)
    return keras.ops.sum(keras.ops.sum(outputs * own, axis=-1) - others)


class _Guesses:
    """What the model takes pictures for."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._scorer = Scorer(
            subject.model, subject.task_name, subject.task, subject.config.output(subject.task_name).loss, "probability"
        )
        self._run = compiled(self._scorer.outputs, subject.model)

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The class `(rows,)` of each, and its probability."""
        parts = (pictures[at : at + _BATCH] for at in range(0, len(pictures), _BATCH))
        shares = np.concatenate([np.asarray(self._run(keras.ops.convert_to_tensor(part)), "float32") for part in parts])
        found = predicted_labels(shares, self._subject.task)
        return found, class_shares(self._subject.task, shares, found)

    def accuracy(self, pictures: np.ndarray, truth: np.ndarray) -> float:
        return float((self(pictures)[0] == truth).mean())


def _right_ones(guess: _Guesses, pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The rows that are taken for what they are; all where none is."""
    right = np.flatnonzero(guess(pictures)[0] == truth)
    return right if len(right) else np.arange(len(truth))


def _written(subject: Subject, facts: dict[str, Any]) -> list[Written]:
    """The figures as JSON, and their curves."""
    split, sizes, accuracy = facts["split"], facts["sizes"], facts["accuracy"]
    half = next((size for size, one in zip(sizes, accuracy["one step"], strict=True) if one < 0.5), None)
    finding = f"accuracy {facts['unchanged']:.3f}; {accuracy['one step'][-1]:.3f} at {sizes[-1]:g}"
    finding += f", below a half from {half:g}" if half is not None else ""
    file = subject.file("attack", "attack.json")
    write_json(file, facts)
    curves = {f"{name}: {told}": [facts["unchanged"], *accuracy[name]] for name, told in WAYS.items()}
    lines = subject.file("attack", "accuracy.png")
    title, axes = f"{facts['rows']:,} rows of {split}", ("change of each pixel, of its range", "accuracy")
    draw_lines([0.0, *sizes], curves, lines, title, axes)
    return [
        Written("attack", split, file, finding, facts),
        Written("attack", split, lines, "accuracy against the size of the change"),
    ]


def _examples_written(subject: Subject, guess: _Guesses, examples: Mapping[float, np.ndarray]) -> Written:
    """A row for each example: unchanged, then by the size of one step, with what it is taken for."""
    sizes = list(examples)[1:]
    places = np.unique(np.linspace(0, len(sizes) - 1, min(MOST_SHOWN, len(sizes))).round().astype(int))
    chosen = [0.0, *(sizes[place] for place in places)]
    guesses = {size: guess(examples[size]) for size in chosen}
    count = len(examples[0.0])
    titles = [
        f"{size:g}: {subject.task.labels[guesses[size][0][row]]} {guesses[size][1][row]:.2f}"
        for row in range(count)
        for size in chosen
    ]
    pictures = subject.as_pictures(np.stack([examples[size][row] for row in range(count) for size in chosen]))
    assert pictures is not None, "it is for pictures"
    grid = subject.file("attack", "pictures.png")
    written_whole(grid, lambda path: draw_images(pictures, titles, path, columns=len(chosen)))
    finding = f"{count} rows: the size of one step, what they are taken for"
    return Written("attack", subject.options.split, grid, finding)

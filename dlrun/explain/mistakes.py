"""The wrong answers that a classifier was surest of."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlrun.data._checks import class_codes
from dlrun.data._series import SeriesEncoder
from dlrun.data._table import TableEncoder
from dlrun.data._texts import TextsEncoder
from dlrun.data._words import WordsEncoder
from dlrun.data_pictures import draw_images
from dlrun.engine.scoring import BATCH_SIZE, predict_rows, predicted_labels
from dlrun.explain._pictures import written as written_whole
from dlrun.explain._scores import class_shares
from dlrun.explain._subject import Subject, Written
from dlrun.files import write_json

SHOWN = 20
MOST_NUMBERS = 100  # of a row that are written out


def explain_mistakes(subject: Subject) -> list[Written]:
    """A JSON file with the surest wrong answers of the split, and of pictures a grid of them."""
    data, options = subject.data, subject.options
    assert data is not None, "own inputs have no targets"
    rows, task = data.splits[options.split], subject.task
    outputs = predict_rows(subject.model, subject.feeder, rows, BATCH_SIZE, data.spec.tasks)[subject.task_name]
    probabilities = subject.scorer.probabilities(outputs)
    truth, guess = (
        class_codes(data.original_targets[subject.task_name][rows], task),
        predicted_labels(probabilities, task),
    )
    assert truth is not None, "it is for classes"
    sure = class_shares(task, probabilities, guess)
    wrong = np.flatnonzero(truth != guess)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    found = [
        {"row": int(rows[place]) + 1, "truth": task.labels[truth[place]], "predicted": task.labels[guess[place]]}
        | {"probability": round(float(sure[place]), 6), "values": raw_values(subject, int(rows[place]))}
        for place in surest
    ]
    finding = f"{len(wrong):,} of {len(rows):,} wrong"
    if found:
        finding += "; surest: row {row} is {truth}, predicted {predicted} ({probability:.4f})".format(**found[0])
    facts = {"split": options.split, "rows": len(rows), "wrong": len(wrong), "surest": found}
    file = subject.file("mistakes", "mistakes.json")
    write_json(file, facts)
    made = [Written("mistakes", options.split, file, finding, facts)]
    pictures = subject.as_pictures(subject.feeder.inputs(rows[surest])) if found else None
    if pictures is not None:
        titles = ["{truth}, not {predicted} {probability:.2f}".format(**one) for one in found]
        grid = subject.file("mistakes", "mistakes.png")
        written_whole(grid, lambda path: draw_images(pictures, titles, path))
        made.append(Written("mistakes", options.split, grid, f"{len(found)} surest ones: truth, not prediction"))
    return made


def raw_values(subject: Subject, row: int) -> Any:
    """What a row was before it was prepared: the text, the columns of a table, the file of a picture; else
    numbers, when they are not too many.
    """
    encoder, raw = subject.encoder, subject.raw
    if isinstance(encoder, WordsEncoder):
        return whole_text(encoder, raw, row)
    if isinstance(encoder, TableEncoder):
        return {name: _plain(raw[name][row]) for name in encoder.kinds}
    if isinstance(encoder, SeriesEncoder):
        return encoder.describe(raw, row)
    if "file" in raw:
        return str(raw["file"][row])
    numbers = np.asarray(next(iter(raw.values()))[row])
    return numbers.tolist() if numbers.size <= MOST_NUMBERS else None


def whole_text(encoder: WordsEncoder, raw: dict[str, np.ndarray], row: int) -> str:
    """A text as the tokenizer has read it."""
    if isinstance(encoder, TextsEncoder):
        return encoder.splitting.joint.join(raw["vocabulary"][raw["words"][row]])
    return encoder.decode(raw["words"][row])


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

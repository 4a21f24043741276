"""Texts that a language model writes after each epoch, and what is measured of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import keras
import numpy as np

from dlrun.data._corpus import CorpusEncoder
from dlrun.engine.artefacts import Artefact, list_artefacts
from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import gives_logits
from dlrun.files import make_folder, number, write_text
from dlrun.routines._sampling import Sampled, Sampler, continued_alike, continued_in_turn, drawn_for
from dlrun.routines._temperature_figure import draw_temperatures
from dlrun.routines._text_measures import real_word_share, repeated_share, words_in
from dlrun.seeds import child_seed


@dataclass(frozen=True)
class Plan:
    """`samples` texts of `length` tokens at each of the temperatures. `window` says what a text goes on from: `reset`,
    all from the same piece of the corpus; `carried`, from what the temperature before has written.
    """

    temperatures: Sequence[float]
    length: int
    samples: int
    window: Literal["reset", "carried"] = "reset"


class TextSamples(keras.callbacks.Callback):
    """Writes texts into the run after each epoch, and adds what is measured of them to its row of the history.

    Nothing is drawn from the seeds of the model: texts are a function of its weights, the seed and the epoch.
    """

    def __init__(self, experiment: Experiment, plan: Plan) -> None:
        super().__init__()
        self._run, self._data, self._plan = experiment.run, experiment.data, plan
        self._experiment, self._seed = experiment, experiment.config.training_seed
        encoder = experiment.data.encoder
        assert isinstance(encoder, CorpusEncoder), "checked by the routine"
        self._encoder = encoder

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        done, logs = epoch + 1, {} if logs is None else logs  # the recorder, which comes later, keeps the same dict
        logs.update(bits_per_token(logs, self._encoder.level))
        seed = child_seed(self._seed, "samples", done)
        lead = self._piece(seed)
        plan = self._plan
        draws = drawn_for(seed, plan.length, plan.samples, len(plan.temperatures))
        go_on = continued_alike if plan.window == "reset" else continued_in_turn
        sampled = go_on(self._sampler, lead, plan.temperatures, draws)
        measures = self._measures(sampled)
        logs.update({f"{name}_{heat:g}": value for heat, row in measures.items() for name, value in row.items()})
        file = make_folder(self._run.artefacts / "samples") / f"epoch-{done:04d}.txt"
        write_text(file, self._page(done, lead, sampled, measures))
        made = [Artefact(file, "texts at each temperature")]
        if self.model.stop_training or done == self.params.get("epochs"):
            made.append(self._figure())
        list_artefacts(self._run, made, epoch=done)

    @cached_property
    def _sampler(self) -> Sampler:
        config = self._experiment.config  # settled when training begins
        jit_compile = config.runtime.jit_compile is True
        return Sampler(self.model, self._encoder, logits=gives_logits(config.loss), jit_compile=jit_compile)

    @cached_property
    def _known(self) -> frozenset[str]:
        """The words of the training part."""
        starts = self._data.arrays["starts"][self._data.splits["training"]]
        codes = self._data.shared["codes"][int(starts.min()) : int(starts.max()) + self._encoder.maxlen + 1]
        return frozenset(words_in(self._encoder.decode(codes)))

    def _piece(self, seed: int) -> np.ndarray:
        """A window `(maxlen,)` of the validation part, or of training where there is none, chosen by the seed."""
        rows = self._data.splits.get("validation", self._data.splits["training"])
        row = rows[np.random.default_rng(child_seed(seed, "piece")).integers(len(rows))]
        start = int(self._data.arrays["starts"][row])
        piece: np.ndarray = self._data.shared["codes"][start : start + self._encoder.maxlen]
        return piece.astype("int32")

    def _measures(self, sampled: Sampled) -> dict[float, dict[str, float]]:
        """Per temperature; in texts of words all words are real."""
        found = {}
        for heat, codes, entropy in self._by_temperature(sampled):
            texts = [self._encoder.decode(row) for row in codes]
            real = {"real_words": real_word_share(texts, self._known)} if self._encoder.level == "character" else {}
            found[heat] = real | {"repeated_4grams": repeated_share(codes.tolist()), "entropy": float(entropy.mean())}
        return found

    def _by_temperature(self, sampled: Sampled) -> list[tuple[float, np.ndarray, np.ndarray]]:
        count = len(self._plan.temperatures)
        groups = zip(np.split(sampled.codes, count), np.split(sampled.entropy, count), strict=True)
        return [(heat, *group) for heat, group in zip(self._plan.temperatures, groups, strict=True)]

    def _page(self, epoch: int, lead: np.ndarray, sampled: Sampled, measures: dict[float, dict[str, float]]) -> str:
        parts = [f"epoch {epoch}, after:\n{self._encoder.decode(lead)}"]
        for heat, codes, _ in self._by_temperature(sampled):
            told = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in measures[heat].items())
            parts.append(f"--- temperature {heat:g}: {told}")
            parts += [self._encoder.decode(row) for row in codes]
        return "\n\n".join(parts) + "\n"

    def _figure(self) -> Artefact:
        file, lead = self._run.artefacts / "temperature.png", np.array(self._encoder.lead)
        chances = self._sampler.probabilities(lead[None])[0]
        draw_temperatures(chances, self._data.spec.task.labels, self._encoder.decode(lead[-20:]), file)
        return Artefact(file, "one distribution at several temperatures")


def bits_per_token(logs: dict[str, Any], level: str) -> dict[str, float]:
    """The logged crossentropies in bits, without the penalties of regularizers."""
    found = {}
    for prefix in ("", "val_"):
        loss = logs.get(f"{prefix}bare_loss", logs.get(f"{prefix}loss"))
        if loss is not None:
            found[f"{prefix}bits_per_{level}"] = float(loss) / math.log(2)
    return found

"""Text continued token by token, all texts at once, in one compiled loop (DLwP 8.1.2 calls `predict` for each)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from dlrun.data._corpus import UNKNOWN, CorpusEncoder
from dlrun.engine.gradients import compiled
from dlrun.seeds import child_seed

_LEAST = 1e-30  # of a probability, before its logarithm
_COLDEST = 1e-4  # below it only the most probable token is left, as at 0
_CHUNK, _MOST_CHUNKS = 20, 50  # tokens between two looks, where somebody looks; a long text comes in so many pieces


@dataclass(frozen=True)
class Sampled:
    """Codes `(texts, length)` that follow on windows, and the mean entropy of what they were drawn from `(texts,)`, in
    bits per token.
    """

    codes: np.ndarray
    entropy: np.ndarray


class Sampler:
    """Draws the next token of each text from the model's distribution at a temperature, and moves its window on."""

    def __init__(
        self, model: keras.Model, encoder: CorpusEncoder, *, logits: bool = False, jit_compile: bool = False
    ) -> None:
        """`logits` says that the model's outputs are no probabilities yet, `jit_compile` asks for XLA."""
        self._encoder, self._model, self._logits = encoder, model, logits
        barred = [token == UNKNOWN for token in encoder.tokens] if encoder.level == "word" else [False]
        self._barred = np.where(barred, -np.inf, 0.0).astype("float32")
        self._run = compiled(self._continue, model, jit_compile=jit_compile)

    def __call__(
        self,
        windows: np.ndarray,
        temperatures: np.ndarray,
        draws: np.ndarray,
        told: Callable[[np.ndarray], None] | None = None,
    ) -> Sampled:
        """Continue `windows` `(texts, maxlen)`, each at its temperature `(texts,)`: 0 takes the most probable token.

        `draws` `(length, texts)` in [0, 1) choose the tokens. `told` gets the codes `(texts, tokens)` that have come.
        """
        length, texts = draws.shape
        begun = np.concatenate([windows, np.zeros((texts, length), "int32")], axis=1).astype("int32")
        state = (ops.convert_to_tensor(begun), ops.zeros((texts,), "float32"))
        fixed = (ops.convert_to_tensor(temperatures.astype("float32")), ops.convert_to_tensor(draws.astype("float32")))
        size = max(_CHUNK, length // _MOST_CHUNKS) if told else length
        for start in range(0, length, size):
            stop = min(length, start + size)
            state = self._run(*state, *fixed, ops.convert_to_tensor(start), ops.convert_to_tensor(stop))
            if told:
                told(self._new(state[0])[:, start:stop])
        return Sampled(self._new(state[0]), ops.convert_to_numpy(state[1]) / length)

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """What the model gives to each token after the windows `(texts, maxlen)`: `(texts, tokens)` float64."""
        found = ops.softmax(self._logarithms(ops.convert_to_tensor(windows.astype("int32"))))
        return ops.convert_to_numpy(found).astype("float64")

    def _new(self, text: Any) -> np.ndarray:
        return np.asarray(ops.convert_to_numpy(text))[:, self._encoder.maxlen :]

    def _continue(self, text: Any, entropy: Any, temperatures: Any, draws: Any, start: Any, stop: Any) -> Any:
        maxlen = self._encoder.maxlen
        places = ops.arange(text.shape[1], dtype="int32")
        heat = ops.maximum(temperatures, _COLDEST)[:, None]

        def step(index: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
            text, entropy = state
            window = ops.slice(text, (0, index), (text.shape[0], maxlen))
            chances = ops.softmax(self._logarithms(window) / heat)
            code = _drawn(chances, draws[index])
            text = ops.where(places[None, :] == index + maxlen, code[:, None], text)
            return text, entropy + _bits(chances)

        return ops.fori_loop(start, stop, step, (text, entropy))

    def _logarithms(self, window: Any) -> Any:
        """Logarithms of probabilities, or logits `(texts, tokens)`; of what is never drawn minus infinity."""
        found = self._model(self._encoder.as_inputs(window), training=False)
        found = ops.cast(found, "float32")
        return (found if self._logits else ops.log(ops.maximum(found, _LEAST))) + self._barred


def _drawn(chances: Any, draw: Any) -> Any:
    """The code `(texts,)` at which the sum of the chances `(texts, tokens)` passes the draw `(texts,)`."""
    sums = ops.cumsum(chances, axis=1)
    passed = ops.cast(sums <= draw[:, None] * sums[:, -1:], "int32")
    return ops.minimum(ops.sum(passed, axis=1), chances.shape[1] - 1)


def _bits(chances: Any) -> Any:
    return -ops.sum(chances * ops.log2(ops.maximum(chances, _LEAST)), axis=1)


def drawn_for(seed: int, length: int, samples: int, temperatures: int) -> np.ndarray:
    """Numbers `(length, temperatures * samples)` in [0, 1): the same for every temperature, so that a text does not
    depend on which others are asked for; texts of one temperature stand side by side.
    """
    columns = [np.random.default_rng(child_seed(seed, "sample", number)).random(length) for number in range(samples)]
    return np.tile(np.stack(columns, axis=1), (1, temperatures))


def continued_alike(sampler: Sampler, window: np.ndarray, temperatures: Sequence[float], draws: np.ndarray) -> Sampled:
    """Texts at each temperature that all go on from one window `(maxlen,)`; `draws` are those of `drawn_for`."""
    heats = np.repeat(np.array(temperatures, "float32"), draws.shape[1] // len(temperatures))
    return sampler(np.tile(window, (len(heats), 1)), heats, draws)


def continued_in_turn(
    sampler: Sampler, window: np.ndarray, temperatures: Sequence[float], draws: np.ndarray
) -> Sampled:
    """As `continued_alike`, but from the second temperature on a text goes on from what the one before has written: the
    window is not reset (DLwP 8.1.4, listing 8-7 as printed).
    """
    parts: list[Sampled] = []
    samples = draws.shape[1] // len(temperatures)
    windows = np.tile(window, (samples, 1))
    for heat, own in zip(temperatures, np.split(draws, len(temperatures), axis=1), strict=True):
        parts.append(sampler(windows, np.full(samples, heat), own))
        windows = np.concatenate([windows, parts[-1].codes], axis=1)[:, -len(window) :]
    return Sampled(np.concatenate([one.codes for one in parts]), np.concatenate([one.entropy for one in parts]))

"""`python -m bench.generate`: characters per second of the book's loop, a `predict` for each, and of `dlrun generate`.

Both write with the book's net (DLwP 8.1.4: LSTM of 128 units on 60 characters of 57) at its four temperatures, in turn;
dlrun by XLA, as it chooses for recurrent layers, unless told not to. The weights are random, which does not matter.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

from dlrun.data._corpus import CorpusEncoder
from dlrun.routines._sampling import Sampler, continued_alike, drawn_for

MAXLEN, TOKENS, LENGTH = 60, 57, 400
TEMPERATURES = (0.2, 0.5, 1.0, 1.2)
BOOK_LENGTH = 100  # of the book's loop less is timed: its speed does not change


def main(rounds: int = 5) -> None:
    """Print the medians of the rounds, by the clock and by processor time, which other programs disturb less."""
    model = keras.Sequential(
        [keras.Input((MAXLEN, TOKENS)), keras.layers.LSTM(128), keras.layers.Dense(TOKENS, activation="softmax")]
    )
    sides = {
        "the book's loop": lambda: by_the_book(model),
        "dlrun, one temperature": by_dlrun(model, TEMPERATURES[:1]),
        "dlrun, four at once": by_dlrun(model, TEMPERATURES),
        "dlrun, four at once, no XLA": by_dlrun(model, TEMPERATURES, jit_compile=False),
        "dlrun, four at once, streamed": by_dlrun(model, TEMPERATURES, stream=True),
    }
    for write in sides.values():
        write()  # compiles
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, write in sides.items():
            began, used = time.perf_counter(), time.process_time()
            characters = write()
            speeds[name].append((characters / (time.perf_counter() - began), characters / (time.process_time() - used)))
    print(f"{'characters per second':30} {'of time':>8} {'times':>6} {'of processor time':>18} {'times':>6}")
    wall, processor = _medians(speeds["the book's loop"])
    for name, found in speeds.items():
        by_wall, by_processor = _medians(found)
        print(f"{name:30} {by_wall:8,.0f} {by_wall / wall:6.0f} {by_processor:18,.0f} {by_processor / processor:6.0f}")


def _medians(found: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def by_the_book(model: keras.Model) -> int:
    """Listings 8-6 and 8-7: one character at a time, one temperature after the other; how many were written."""
    text = list(np.random.default_rng(1).integers(0, TOKENS, MAXLEN))
    for temperature in TEMPERATURES:
        for _ in range(BOOK_LENGTH // len(TEMPERATURES)):
            sampled = np.zeros((1, MAXLEN, TOKENS))
            for place, code in enumerate(text):
                sampled[0, place, code] = 1.0
            chances = np.log(model.predict(sampled, verbose=0)[0].astype("float64")) / temperature
            chances = np.exp(chances) / np.sum(np.exp(chances))
            text = [*text[1:], int(np.argmax(np.random.multinomial(1, chances, 1)))]
    return BOOK_LENGTH


def by_dlrun(
    model: keras.Model, temperatures: tuple[float, ...], *, stream: bool = False, jit_compile: bool = True
) -> Callable[[], int]:
    """A function that writes 400 characters at each temperature, and says how many these are."""
    tokens = [chr(ord("a") + place) for place in range(TOKENS)]
    encoder = CorpusEncoder(
        tokens=tokens, level="character", lower=False, maxlen=MAXLEN, one_hot=True, lead=[0] * MAXLEN
    )
    sampler, window = (
        Sampler(model, encoder, jit_compile=jit_compile),
        np.random.default_rng(1).integers(0, TOKENS, MAXLEN),
    )
    draws = drawn_for(1, LENGTH, 1, len(temperatures))

    def write() -> int:
        if stream:
            heats = np.array(temperatures)
            return sampler(np.tile(window, (len(heats), 1)), heats, draws, lambda codes: None).codes.size
        return continued_alike(sampler, window, temperatures, draws).codes.size

    return write


if __name__ == "__main__":
    main()

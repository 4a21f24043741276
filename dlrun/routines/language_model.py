"""A model that learns what follows in a text, and writes (DLwP 8.1)."""

from __future__ import annotations

from typing import Literal

import numpy as np

import dlrun
from dlrun.config.text_rules import TEMPERATURES, TEXT, are_temperatures
from dlrun.data._corpus import CorpusEncoder
from dlrun.engine.execution import Outcome
from dlrun.engine.generating import Generated, Request
from dlrun.engine.resolve import Experiment
from dlrun.engine.scoring import gives_logits
from dlrun.errors import ConfigError
from dlrun.files import write_text
from dlrun.routines._sampling import Sampler, drawn_for
from dlrun.routines._text_samples import Plan, TextSamples
from dlrun.routines.fit import fit
from dlrun.spec import Count


@dlrun.routine("language_model")
def language_model(
    experiment: Experiment,
    *,
    temperatures: list[float] = [0.2, 0.5, 1.0, 1.2],  # noqa: B006  read as a literal, not changed
    length: Count = 400,
    samples: Count = 1,
    window: Literal["reset", "carried"] = "reset",
) -> Outcome:
    """Train as `fit` does on a `text_corpus`, and write texts after each epoch (DLwP 8.1, listings 8-6 and 8-7).

    `temperatures`: of the `samples` texts of `length` tokens each, which begin after a piece of the corpus and lie in
    `artefacts/samples`; 0 takes the most probable token. `window`: each temperature begins after that piece (`reset`),
    or, as the book's listing is printed, after what the one before it has written (`carried`).
    Columns of `history.csv`: bits per token; at each temperature the share of real words, that of 4-grams that stood
    in the text before, and the entropy in bits.
    """
    if not isinstance(experiment.data.encoder, CorpusEncoder):
        raise ConfigError(
            "the routine `language_model` learns running text",
            key=("data", "name"),
            received=experiment.config.data.name,
            expected=TEXT,
        )
    experiment.callbacks.append(TextSamples(experiment, Plan(temperatures, length, samples, window)))
    return fit(experiment)


def generate(
    request: Request,
    *,
    prompt: str = "",
    temperature: list[float] = [0.2, 0.5, 1.0],  # noqa: B006
    length: Count = 400,
    samples: Count = 1,
) -> Generated:
    """Go on from `prompt`, `samples` times at each temperature; all texts are written together.

    A prompt that is shorter than a window follows on the end of a sentence of the corpus.
    """
    if not are_temperatures(temperature):
        raise ConfigError("these are no temperatures", received=str(temperature), expected=TEMPERATURES)
    encoder = request.saved.encoder
    assert isinstance(encoder, CorpusEncoder), "the routine trained on no other"
    window = np.concatenate([np.array(encoder.lead, "int32"), encoder.encode(prompt)])[-encoder.maxlen :]
    heats = np.repeat(np.array(temperature), samples)
    titles = [
        f"temperature {heat:g}" + (f", text {number}" if samples > 1 else "")
        for heat in temperature
        for number in range(1, samples + 1)
    ]
    jit_compile = request.config.runtime.jit_compile is True  # as in training, where it was settled by what pays
    sampler = Sampler(request.model(), encoder, logits=gives_logits(request.config.loss), jit_compile=jit_compile)
    texts, pieces = dict.fromkeys(titles, ""), list[np.ndarray]()

    def told(codes: np.ndarray) -> None:
        pieces.append(codes)
        for title, row in zip(titles, np.concatenate(pieces, axis=1), strict=True):
            text = encoder.continued(prompt, row)
            request.stream(title, text[len(texts[title]) :])
            texts[title] = text

    draws = drawn_for(request.seed, length, samples, len(temperature))
    sampled = sampler(np.tile(window, (len(heats), 1)), heats, draws, told)
    files = []
    for heat in temperature:
        file = request.folder / f"temperature-{heat:g}.txt"
        own = [text for title, text in texts.items() if title.partition(",")[0] == f"temperature {heat:g}"]
        write_text(file, "\n\n---\n\n".join(own) + "\n")
        files.append(file)
    entropy = {title: float(bits) for title, bits in zip(titles, sampled.entropy, strict=True)}
    return Generated(texts, files, {"entropy": entropy})

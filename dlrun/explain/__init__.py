"""What a trained model looks at: activations, filters, heat maps, saliency, words, importance, mistakes, attacks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlrun.config.schema import Config
from dlrun.data._words import WordsEncoder
from dlrun.engine.layers import all_layers, is_convolution
from dlrun.engine.resolve import open_session
from dlrun.errors import ConfigError, RunDirError, UnknownNameError, did_you_mean, listing
from dlrun.explain import importance
from dlrun.explain._subject import Options, Subject, Written, load_subject
from dlrun.explain.activations import explain_activations
from dlrun.explain.attack import explain_attack
from dlrun.explain.filters import explain_filters
from dlrun.explain.heatmaps import explain_heatmaps
from dlrun.explain.mistakes import explain_mistakes
from dlrun.explain.saliency import explain_saliency
from dlrun.explain.words import explain_words, first_embedding
from dlrun.files import make_folder, write_json
from dlrun.run_dir import FORMAT, RunDir, read_json

__all__ = ["EXPLANATIONS", "Explanation", "Options", "Written", "explain"]

EXPLANATIONS: dict[str, Callable[[Subject], list[Written]]] = {
    "activations": explain_activations,
    "filters": explain_filters,
    "heatmaps": explain_heatmaps,
    "saliency": explain_saliency,
    "words": explain_words,
    "importance": importance.explain_importance,
    "mistakes": explain_mistakes,
    "attack": explain_attack,
}
ON_REQUEST = ("attack",)  # what no one asks a model by default


@dataclass(frozen=True)
class Explanation:
    """What was written, and `left_out`: what does not fit this run, with the reason, when nothing was named."""

    folder: Path
    written: list[Written]
    left_out: dict[str, str]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """JSON values; files are named as they lie below the folder."""
        written = [asdict(one) | {"file": str(one.file.relative_to(self.folder))} for one in self.written]
        return {"format": FORMAT, **vars(self), "written": written}


def explain(run: RunDir, config: Config, sources: Sequence[str] = (), options: Options = Options()) -> Explanation:  # noqa: B008
    """Explain the model of a run by a few rows of its data, or by the user's inputs, into `artefacts/explain/`.

    What an earlier call wrote of the same kind is replaced. A look at the targets of test is recorded as a reading.
    Raises DlrunError.
    """
    for name in options.what:
        if name not in EXPLANATIONS:
            hint = did_you_mean(name, EXPLANATIONS)
            raise UnknownNameError(f"there is no explanation {name!r}", expected=listing(EXPLANATIONS), hint=hint)
    folder = make_folder(run.artefacts / "explain")
    with open_session(config):
        subject = load_subject(run, config, sources, options, folder)
        reasons = {name: reason for name in EXPLANATIONS if (reason := unfit(name, subject))}
        for name in options.what:
            if name in reasons:
                fitting = listing(one for one in EXPLANATIONS if one not in reasons)
                raise ConfigError(f"{name} does not fit this run: {reasons[name]}", expected=fitting or None)
        usual = [name for name in EXPLANATIONS if name not in reasons and name not in ON_REQUEST]
        wanted = list(dict.fromkeys(options.what)) or usual
        if not wanted:
            raise ConfigError("nothing fits this run", received=_told(reasons))
        written = []
        for name in wanted:
            shutil.rmtree(folder / name, ignore_errors=True)
            written += EXPLANATIONS[name](subject)
    if options.split == "test" and not sources:
        _count_reading(run, options.weights)
    left_out = {name: reason for name, reason in reasons.items() if name not in ON_REQUEST}
    explanation = Explanation(folder, written, {} if options.what else left_out, subject.notes)
    values, file = explanation.as_dict(), folder / "explain.json"
    write_json(file, values | {"written": [*_kept(file, wanted), *values["written"]]})
    return explanation


def _kept(file: Path, replaced: Sequence[str]) -> list[Any]:
    """What earlier calls wrote of other kinds; nothing when their list is not there or damaged."""
    try:
        return [one for one in read_json(file)["written"] if one["what"] not in replaced]
    except (RunDirError, KeyError, TypeError):
        return []


def _count_reading(run: RunDir, weights: str) -> None:
    """List this look at the labels of test in `run.json`."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    reading = {"time": now, "model": run.model_file(weights).name, "file": "artefacts/explain/explain.json"}
    run.update(test_readings=[*run.record().get("test_readings", []), reading])


def unfit(name: str, subject: Subject) -> str | None:
    """Why an explanation does not fit the data and model of a run; None when it fits."""
    inputs = list(subject.encoder.inputs().values())
    picture = len(inputs) == 1 and len(inputs[0].shape) == 3 and inputs[0].shape[-1] in (1, 3)
    if name in ("importance", "mistakes", "attack") and subject.data is None:
        return "inputs of your own have no labels"
    if name in ("mistakes", "attack") and subject.task.kind not in ("binary", "multiclass"):
        return f"it is for classes, this is {subject.task.kind}"
    if name not in ("activations", "filters") and not subject.is_predicted:
        return f"the model does not predict {subject.task_name}"
    if name == "mistakes":
        return None
    if name == "attack" and len(inputs) == 1:
        return None if subject.as_pictures(subject.inputs) is not None else "it is for pictures"
    if name == "importance":
        return importance.unfit(subject.encoder)
    if name == "words":
        return _unfit_for_words(subject)
    if name == "activations" and subject.options.layers:
        return None
    if name == "saliency" and len(inputs) == 1:
        known = subject.encoder.kind == "series" or subject.as_pictures(subject.inputs) is not None
        return None if known else "it is for pictures and series"
    if not picture:
        return "it is for pictures"
    convolutional = any(map(is_convolution, all_layers(subject.model).values()))
    if name in ("filters", "heatmaps") and not convolutional and not subject.options.layers:
        return "the model has no convolution"
    return None


def _unfit_for_words(subject: Subject) -> str | None:
    if not isinstance(subject.encoder, WordsEncoder):
        return "it is for texts"
    if subject.encoder.encoding == "sequence" and first_embedding(subject.model) is None:
        return "the model has no Embedding, by which word ids could have a gradient"
    return None


def _told(reasons: dict[str, str]) -> str:
    return "\n".join(f"{name}: {reason}" for name, reason in reasons.items())

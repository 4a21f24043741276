"""What stands beside an exported model: how raw rows become its inputs, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlrun.config.schema import Config
from dlrun.data._saved import Saved
from dlrun.engine.scoring import gives_logits
from dlrun.export._formats import FORMATS
from dlrun.spec import InputSpec, Task

_LARGE = 600  # characters of an option that is shown
_KINDS = {
    "array": "Numbers in the input's shape: transforms, if any, of each row flattened; then divided by `divide_by`; "
    "`centred` ones times 2, less 1.",
    "arrays": "Several inputs, each of numbers in its shape: transforms, if any, then divided by `divide_by`.",
    "images": "Pictures in red, green, blue (or grey), decoded and resized as below, as shares of 255; "
    "`centred` ones times 2, less 1.",
    "series": "Windows of `lookback // step` positions that end before the present one, every `step`-th position; each "
    "column less its `mean`, divided by its `std`.",
    "table": "Columns side by side: the numeric ones first, then the categorical ones, in the order of `kinds`; each "
    "group through its transforms.",
    "words": "Word ids below `num_words`: a text begins with 1, its words have ids from 3 on in the order of `words`, "
    "2 is any other word, 0 padding. As `encoding` says: sequences are padded and cut to `maxlen`, bags have one "
    "number for each id.",
    "texts": "Texts, split into words as `splitting` says, each word the id of its place in `words`; then as "
    "`encoding` says: sequences are padded and cut to `maxlen`, bags have one number for each id.",
}


def describe(config: Config, saved: Saved, model_inputs: Mapping[str, InputSpec]) -> dict[str, Any]:
    """Inputs, preprocessing and outputs as JSON values."""
    return {
        "inputs": [
            {"name": name, "dtype": spec.dtype, "shape": ["rows", *spec.shape]} for name, spec in model_inputs.items()
        ],
        "preprocessing": {
            "kind": saved.encoder.kind,
            "does": _KINDS.get(saved.encoder.kind, "An encoder of a plugin."),
            "options": _options(saved.encoder.get_state()),
            "learned": "preprocess.json, encoder.state",
        },
        "outputs": [
            {"task": name, "shape": ["rows", task.head.units], **_meaning(name, task, config, saved)}
            for name, task in saved.spec.tasks.items()
        ],
    }


def _options(state: Mapping[str, Any]) -> dict[str, Any]:
    """What of an encoder's state is short; long values (words, means) stand in preprocess.json only."""
    told = ("name", "shape", "dtype")  # by the inputs; the last is that of rows at rest
    found = {key: _without_learned(value) for key, value in state.items() if key not in told}
    return {key: value for key, value in found.items() if len(str(value)) <= _LARGE and value not in (None, [], {})}


def _without_learned(value: Any) -> Any:
    """Transforms by their names, at any depth; all else as it is."""
    if isinstance(value, list):
        return [_without_learned(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"name", "state"}:
            return value["name"]
        return {key: _without_learned(item) for key, item in value.items()}
    return value


def _meaning(name: str, task: Task, config: Config, saved: Saved) -> dict[str, Any]:
    if not task.classifies:
        found: dict[str, Any] = {"means": f"numbers{f' in {task.unit}' if task.unit else ''}"}
        if scale := saved.target_scales.get(name):
            found |= {"means": "multiply by `std`, add `mean`", "mean": scale.mean, "std": scale.std}
        return found
    logits = gives_logits(config.output(name).loss)
    what = {
        "binary": f"the probability of {task.labels[-1]!r}",
        "multiclass": "the probability of each label, in this order",
        "multilabel": "the probability of each label, in this order, whatever the others have",
    }[task.kind]
    after = f"{'softmax' if task.kind == 'multiclass' else 'sigmoid'} makes of it " if logits else ""
    return {"means": after + what, "labels": list(task.labels)}


def page(about: Mapping[str, Any]) -> str:
    """The same as a README in Markdown."""
    lines = [f"# {about['name']}", "", f"Exported from the dlrun run {about['run']}.", "", "## Files", ""]
    for name, one in about["formats"].items():
        remark = f"; {one['remark']}" if one["remark"] else ""
        lines.append(f"- `{one['file']}`: {FORMATS[name].usage.replace('PATH', repr(one['file']))}{remark}")
    lines += [
        "- `preprocess.json`: what was learned from the training rows",
        "- `examples.npz`: inputs and outputs of a few rows of the data, to test your own preprocessing with",
        *("", "## Inputs", ""),
    ]
    lines += [f"- `{one['name']}`: {one['dtype']}, {_shape(one['shape'])}" for one in about["inputs"]]
    preprocessing = about["preprocessing"]
    lines += [
        "",
        preprocessing["does"],
        "",
        *(f"- {key}: `{value}`" for key, value in preprocessing["options"].items()),
    ]
    lines += ["", f"All options and what was learned: {preprocessing['learned']}.", "", "## Outputs", ""]
    for one in about["outputs"]:
        more = "".join(f"; {key} {one[key]}" for key in ("labels", "mean", "std") if key in one)
        lines.append(f"- `{one['task']}`: {_shape(one['shape'])}, {one['means']}{more}")
    return "\n".join([*lines, ""])


def _shape(shape: list[Any]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"

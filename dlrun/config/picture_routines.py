"""What DeepDream and style transfer have a use for: pictures and a base, nothing that learns."""

from __future__ import annotations

from typing import Any

from dlrun.config.nodes import Report

_PICTURES = {
    "feature_ascent": "1: the picture that changes",
    "image_optimization": "2: the content, the style",
}
_UNUSED = ("loss", "metrics", "outputs", "callbacks")


def check_picture_routine(report: Report, plain: dict[str, Any]) -> None:
    """Report what such a run has no use for, and a wrong number of pictures."""
    routine, data = plain.get("routine"), plain.get("data")
    name = routine.get("name") if isinstance(routine, dict) else None
    if not isinstance(name, str) or name not in _PICTURES:
        return
    for key in _UNUSED:
        if plain.get(key):
            message = f"the routine `{name}` takes no {key}: it trains no weights"
            report.add((key,), message, on="key", hint=f"remove it, or drop it with -s ~{key}")
    training = plain.get("training")
    if isinstance(training, dict) and training.get("stages"):
        report.add(("training", "stages"), f"the routine `{name}` trains no weights, and so has no stages")
    path = data.get("path") if isinstance(data, dict) and data.get("name") == "pictures" else None
    given = len(path) if isinstance(path, list) else 1
    expected = _PICTURES[name]
    if path is not None and given != int(expected[0]) and not report.reported(("data", "path")):
        report.add(
            ("data", "path"), f"the routine `{name}` wants other pictures", received=str(given), expected=expected
        )

"""What a language model needs: running text, and temperatures that are some."""

from __future__ import annotations

from typing import Any

from dlrun.config.nodes import Report, is_number
from dlrun.registry import DATASETS

TEXT = "text_corpus"
TEMPERATURES = "different numbers from 0 on, such as 0.2, 0.5, 1.0"


def check_language_model(report: Report, plain: dict[str, Any]) -> None:
    """Report data that is no running text, and what are no temperatures, of the routine `language_model`."""
    routine, data = plain.get("routine"), plain.get("data")
    if not isinstance(routine, dict) or routine.get("name") != "language_model":
        return
    name = data.get("name") if isinstance(data, dict) else None
    if name != TEXT and name in DATASETS.builtin_names():
        message = "the routine `language_model` learns running text"
        report.add(("data", "name"), message, received=str(name), expected=TEXT)
    heats = routine.get("temperatures")
    if isinstance(heats, list) and all(map(is_number, heats)) and not are_temperatures(heats):
        key = ("routine", "temperatures")
        report.add(key, "these are no temperatures", received=str(heats), expected=TEMPERATURES)


def are_temperatures(heats: list[float]) -> bool:
    """Whether there are some, all different, none below 0 or infinite."""
    names = {f"{heat:g}" for heat in heats}  # of columns and files
    return bool(heats) and len(names) == len(heats) and all(0 <= heat < float("inf") for heat in heats)

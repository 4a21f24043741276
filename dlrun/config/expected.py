"""Whether each entry of `expect` says something that can be measured."""

from __future__ import annotations

from typing import Any

from dlrun.config.nodes import Report, dotted
from dlrun.config.schema import SEEDS_OF_ORDERS
from dlrun.errors import Key, did_you_mean, listing

COUNTS = ("best_epoch", "parameters", "recommended_epochs")  # exact where no tolerance is stated
TEST, BASELINE, SHUFFLED = "test_", "baseline_", "_shuffled"
# What `evaluate` computes.
_SCORES = ("accuracy", "bare_loss", "exact_match", "f1", "loss", "mae", "mse", "r2", "rmse", "roc_auc")
_BOUNDS = ("value", "below", "above")


def check_expectations(report: Report, plain: dict[str, Any]) -> None:
    """Report entries that state nothing, or two things at once, and orders that rest on too few seeds."""
    for index, entry in enumerate(_entries(plain)):
        if isinstance(entry, dict):
            _check_form(report, ("expect", index), entry)
            _check_test_metric(report, ("expect", index, "metric"), entry.get("metric"))


def logged_names_expected(plain: dict[str, Any]) -> list[tuple[Key, str]]:
    """Metrics of `expect` that training has to log, and where each stands."""
    found: list[tuple[Key, str]] = []
    for index, entry in enumerate(_entries(plain)):
        name = entry.get("metric") if isinstance(entry, dict) else None
        if isinstance(name, str) and name not in COUNTS and not name.startswith((TEST, BASELINE + TEST)):
            bare = name.removeprefix(BASELINE).removesuffix(SHUFFLED) if name.startswith(BASELINE) else name
            found.append((("expect", index, "metric"), bare))
    return found


def _entries(plain: dict[str, Any]) -> list[Any]:
    entries = plain.get("expect")
    return entries if isinstance(entries, list) else []


def _check_form(report: Report, key: Key, entry: dict[str, Any]) -> None:
    stated = [name for name in _BOUNDS if entry.get(name) is not None]
    tolerance, margin = (entry.get(name) is not None for name in ("tolerance", "margin"))
    if len(stated) != 1:
        received = " and ".join(stated) or None
        report.add(key, f"{dotted(key)} states no single result", received=received, expected="value, below or above")
    elif stated == ["value"] and not tolerance and entry.get("metric") not in COUNTS:
        report.add(key, f"{dotted(key)} has a value without tolerance", hint="add `tolerance: 0.01`")
    elif stated == ["value"] and margin:
        report.add((*key, "margin"), f"{dotted(key)}.margin belongs to below and above", hint="remove it")
    elif stated != ["value"] and tolerance:
        report.add((*key, "tolerance"), f"{dotted(key)}.tolerance belongs to a value", hint="write `margin` instead")
    elif stated != ["value"] and isinstance(entry.get("seeds"), int) and entry["seeds"] < SEEDS_OF_ORDERS:
        few = f"{dotted(key)}.seeds are too few for an order"
        report.add((*key, "seeds"), few, received=str(entry["seeds"]), expected=f"{SEEDS_OF_ORDERS} or more")
    at = entry.get("at")
    if isinstance(at, int) and not isinstance(at, bool) and at < 1:
        report.add((*key, "at"), f"{dotted(key)}.at is out of range", received=str(at), expected="1 or more")


def _check_test_metric(report: Report, key: Key, name: Any) -> None:
    if not isinstance(name, str) or not name.removeprefix(BASELINE).startswith(TEST):
        return
    bare = name.removeprefix(BASELINE).removeprefix(TEST).removesuffix(SHUFFLED)
    if bare in _SCORES or any(bare.endswith(f"_{score}") for score in _SCORES):  # with several tasks: age_mae
        return
    expected = listing(TEST + score for score in _SCORES)
    hint = did_you_mean(bare, _SCORES)
    report.add(key, f"{dotted(key)} is not a score of `dlrun evaluate`", received=name, expected=expected, hint=hint)

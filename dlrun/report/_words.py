"""What several pages say in the same words."""

from __future__ import annotations

from dlrun.files import number

BASELINE = (
    "Baseline: for classes always the most frequent one of training, for numbers the mean or median of training, for a "
    "series the last known value."
)


def beside_baseline(value: float, level: float, mode: object) -> str:
    """`better than the baseline, 0.1.`; `mode` is min or max."""
    better = value < level if mode == "min" else value > level
    judged = "better" if better else "not better"
    return f"{judged} than the baseline, {number(level)}."


def duration(seconds: float) -> str:
    """`2 min 21 s`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

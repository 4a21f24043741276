"""What several pages say in the same words."""

from __future__ import annotations

from dlrun.config.dumping import flow
from dlrun.files import number
from dlrun.report._markup import Figure

BASELINE = (
    "Baseline: for classes always the most frequent one of training, for numbers the mean or median of training, for a "
    "series the last known value."
)


def beside_baseline(value: float, level: float, mode: object) -> str:
    """`better than the baseline, 0.1.`; `mode` is min or max."""
    better = value < level if mode == "min" else value > level
    judged = "better" if better else "not better"
    return f"{judged} than the baseline, {number(level)}."


def as_parameter(value: object) -> str:
    """A value of a config as a cell: integers whole, other numbers with six digits, anything else as YAML."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return flow(value)
    return Figure(f"{value:.6g}" if isinstance(value, float) else str(value))


def duration(seconds: float) -> str:
    """`2 min 21 s`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

"""What several pages say in the same words."""

from __future__ import annotations

from dlrun.files import number


def beside_baseline(value: float, level: float, mode: object) -> str:
    """`better than the baseline, 0.1, of ...`; `mode` is min or max."""
    better = value < level if mode == "min" else value > level
    judged = "better" if better else "not better"
    return f"{judged} than the baseline, {number(level)}, of a model that never looks at the inputs."


def duration(seconds: float) -> str:
    """`2 min 21 s`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

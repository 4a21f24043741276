"""What two nets that learn against each other have no use for, and who has none for centred pictures."""

from __future__ import annotations

from typing import Any

from dlrun.config.nodes import Report, dotted
from dlrun.errors import Key

_UNUSED = ("loss", "metrics", "outputs")
_UNUSED_IN_TRAINING = ("stages", "class_weight", "sample_weight")


def check_gan(report: Report, plain: dict[str, Any]) -> None:
    """Report what the routine `gan` has no use for, and what it lacks."""
    routine, training = plain.get("routine"), plain.get("training")
    if not isinstance(routine, dict) or routine.get("name") != "gan":
        return
    found: list[Key] = [(key,) for key in _UNUSED if plain.get(key)]
    found += [("training", key) for key in _UNUSED_IN_TRAINING if isinstance(training, dict) and training.get(key)]
    for key in found:
        message = f"the routine `gan` takes no {key[-1]}: its nets learn from each other"
        report.add(key, message, on="key", hint=f"remove it, or drop it with -s ~{dotted(key)}")


def check_centred(report: Report, plain: dict[str, Any]) -> None:
    """Report centred pictures for a base, which scales them from 0 to 1 as it has learned them."""
    data, model = plain.get("data"), plain.get("model")
    if isinstance(data, dict) and data.get("centred") is True and isinstance(model, dict):
        nodes = model.get("nodes")
        nodes = nodes if isinstance(nodes, dict) else {}
        bases = [one for one in nodes.values() if isinstance(one, dict) and "base" in one]
        if bases or model.get("name") == "pretrained":
            message = "data.centred gives -1 to 1, and a base scales pictures from 0 to 1 itself"
            report.add(("data", "centred"), message, hint="leave it out, or set it to false")

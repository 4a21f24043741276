"""What of a config may change while its run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlrun.config.dumping import flow, plain_config

if TYPE_CHECKING:
    from dlrun.config.schema import Config  # without it: pydantic takes a quarter of a second

ABOUT = ("description", "expect", "small", "shortened", "needs")  # what is said of an experiment
PACE = (  # of writing; training computes the same with any
    "training.checkpoint_every_seconds",
    "training.checkpoint_every_steps",
    "training.tensorboard",
    "training.keep",
    "training.on_nan",
    "training.most_rollbacks",
)
# What decides how long a run goes on, where its data lies and what it writes, but not what an epoch computes.
FREE = (*ABOUT, "data.dir", "data.path", "data.test_path", "training.epochs", *PACE)
# They only write what they see; by their names in a config and of their classes
LOGGING_CALLBACKS = (
    "CSVLogger",
    "TensorBoard",
    "RemoteMonitor",
    "activation_logger",
    "ActivationLogger",
    "ArtefactWriter",
)


@dataclass(frozen=True)
class Change:
    """A dotted key, what it was and what it shall be; None where it is not stated."""

    key: str
    before: Any
    after: Any

    @property
    def allowed(self) -> bool:
        """Whether a run may go on with it and still equal one that had it from the start."""
        return any(self.key == free or self.key.startswith(f"{free}.") for free in FREE)

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.after)}"


def changes(before: Config, after: Config) -> list[Change]:
    """Every key whose value differs, in the order of the schema; callbacks that only log are left out."""
    first, second = (dict(_flat(_compared(config))) for config in (before, after))
    keys = dict.fromkeys([*first, *second])
    return [Change(key, first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)]


def _compared(config: Config) -> dict[str, Any]:
    acting = [callback for callback in config.callbacks if callback.name not in LOGGING_CALLBACKS]
    return plain_config(config.model_copy(update={"callbacks": acting}))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and what they hold; lists, except those of callbacks, are values."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif key == "callbacks":
        for number, inner in enumerate(value):
            yield from _flat(inner, f"callbacks[{number}]")
    else:
        yield key, value


def _shown(value: Any) -> str:
    return "not stated" if value is None else flow(value)

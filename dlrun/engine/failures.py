"""What went wrong in a routine, in the config's words."""

from __future__ import annotations

import re

from dlrun.config.schema import Config
from dlrun.errors import TrainingError

_MEMORY = ("resource_exhausted", "resourceexhausted", "out of memory", "oom when allocating", "cannot allocate memory")
_NOISE = re.compile(r"Detected at node|File |Graph execution error|Traceback|<stack traces")
_SHAPE = ("shape", "incompatible", "dimensions must be equal", "matrix size", "rank")


def explain(error: Exception, config: Config) -> TrainingError:
    """A TrainingError with its kind (oom, shape, crash), cause and a hint."""
    if isinstance(error, TrainingError):
        return error
    text = f"{type(error).__name__}: {error}".lower()
    message = _first_sentence(error)
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY):
        return TrainingError(
            f"memory ran out at batch size {config.training.batch_size}: {message}",
            kind="oom",
            key=("training", "batch_size"),  # type: ignore[arg-type]
            hint=f"try -s training.batch_size={max(1, config.training.batch_size // 2)}",
        )
    if any(word in text for word in _SHAPE):
        return TrainingError(
            f"shapes do not fit while training: {message}",
            kind="shape",
            key=("model",),  # type: ignore[arg-type]
            hint="`dlrun train --dry-run` shows every layer with its shapes",
        )
    return TrainingError(
        f"training failed: {type(error).__name__}: {message}", kind="crash", hint="log.txt has the traceback"
    )


def _first_sentence(error: Exception) -> str:
    """The first line that says something, without graph node dumps."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not _NOISE.match(line)]
    return (useful or lines or [type(error).__name__])[0][:300]

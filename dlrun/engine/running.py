"""The boundary around a routine: whatever Keras, TensorFlow or the user's code raises becomes a TrainingError."""

from __future__ import annotations

import re
import traceback

from dlrun.config.schema import Config
from dlrun.engine.execution import Outcome
from dlrun.engine.resolve import Experiment
from dlrun.engine.session import shared_by_devices
from dlrun.errors import DlrunError, TrainingError
from dlrun.files import first_line
from dlrun.registry import ROUTINES

_MEMORY = ("resource_exhausted", "resourceexhausted", "out of memory", "oom when allocating", "cannot allocate memory")
_SHAPE = ("shape", "incompatible", "dimensions must be equal", "matrix size")
_NOISE = re.compile(r"in user code|Detected at node|File |Graph execution error|Traceback|<stack traces")


def run_routine(experiment: Experiment) -> Outcome:
    """Call the config's routine. Raises TrainingError with its kind, ConfigError, Interrupted; keeps the traceback."""
    config = experiment.config
    routine = ROUTINES.get(config.routine.name)
    try:
        with shared_by_devices(config.runtime):
            outcome = routine(experiment, **config.routine.parameters)
    except DlrunError:
        raise
    except (Exception, SystemExit) as error:  # boundary: Keras, TensorFlow or the user's routine
        with experiment.run.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        raise explain(error, experiment.config) from error
    if not isinstance(outcome, Outcome):
        raise TrainingError(
            f"the routine {config.routine.name!r} returned {type(outcome).__name__}",
            expected="the Outcome that train_model returns",
        )
    return outcome


def explain(error: BaseException, config: Config) -> TrainingError:
    """A TrainingError with its kind (oom, shape, crash), cause and a hint, in the config's words."""
    text = f"{type(error).__name__}: {error}".lower()
    message = _useful_line(error)
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY):
        return TrainingError(
            f"memory ran out at batch size {config.training.batch_size}: {message}",
            kind="oom",
            key=("training", "batch_size"),
            hint=f"try -s training.batch_size={max(1, config.training.batch_size // 2)}",
        )
    if type(error).__name__ in ("ValueError", "InvalidArgumentError") and any(word in text for word in _SHAPE):
        return TrainingError(
            f"shapes do not fit while training: {message}",
            kind="shape",
            key=("model",),
            hint="`dlrun check --summary` shows every layer with its shape",
        )
    return TrainingError(
        f"training failed: {type(error).__name__}: {message}", kind="crash", hint="log.txt in the run has the traceback"
    )


def _useful_line(error: BaseException) -> str:
    """The first line that says something, without dumps of graph nodes."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not _NOISE.match(line)), first_line(error))[:300]

"""How a run's epochs are driven: a pure function of config, model and data, never of a clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from dlrun.config.schema import Runtime
from dlrun.errors import ConfigError

Mode = Literal["stepwise", "whole_epoch"]

_BATCH_HOOKS = tuple(f"on_{part}_{end}" for part in ("train_batch", "batch", "test_batch") for end in ("begin", "end"))
_LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function")
_NAN_IS_SEEN_ANYWAY = ("TerminateOnNaN",)


@dataclass(frozen=True)
class Execution:
    """The choice, and why it is not the faster mode (empty for whole_epoch)."""

    mode: Mode
    jit_compile: bool
    reason: str = ""


def choose_execution(
    runtime: Runtime,
    model: Any,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    streams: bool,
    steps: int,
    batch_size: int,
    on_gpu: bool,
) -> Execution:
    """The execution for a compiled model; `steps` are those of the whole run, `streams` says that the data is read from
    files step by step. Raises ConfigError when the config asks for what cannot be.
    """
    on_jax = keras.backend.backend() == "jax"
    compilable = all(layer.supports_jit for layer in model._flatten_layers())
    shared = runtime.strategy != "none"
    reason = why_stepwise(model, callbacks, streams=streams)
    if shared:
        reason = reason or f"runtime.strategy is {runtime.strategy}"
    if on_jax and (runtime.jit_compile is False or not compilable):
        reason = reason or "JAX compiles whole epochs, and jit_compile is false or a layer does not allow it"
    if runtime.execution == "whole_epoch" and reason:
        raise ConfigError(f"whole-epoch execution is not possible: {reason}", key=("runtime", "execution"))
    if runtime.execution == "stepwise":
        reason = "runtime.execution"
    mode: Mode = "stepwise" if reason else "whole_epoch"
    jit = runtime.jit_compile
    if jit == "auto":
        pays = on_jax or (model.jit_compile if on_gpu else pays_to_compile(model, steps, batch_size, mode))
        safe = on_jax or not (shared or (on_gpu and runtime.deterministic))  # shared: it may hang (keras#20763)
        jit = compilable and pays and safe
    return Execution(mode, jit, reason)


def why_stepwise(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback], *, streams: bool) -> str:
    """The reason why steps must be called one by one; empty when there is none."""
    if streams:
        return "the data is read from files step by step"
    if model.run_eagerly:
        return "the model runs eagerly"
    for name in _LOOPS:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a `{name}` of its own"
    if any(isinstance(value, keras.optimizers.Optimizer) and not value.built for value in vars(model).values()):
        return "an optimizer of the model is not built before the first step"
    for callback in callbacks:
        if acts_on_batches(callback):
            return f"the callback {type(callback).__name__} acts on batches"
    return ""


def acts_on_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback would do something at a batch, rather than only at an epoch."""
    name = type(callback).__name__
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return callback.save_freq != "epoch"
    if isinstance(callback, keras.callbacks.TensorBoard):
        by_steps = callback.update_freq != "epoch" or callback.write_steps_per_second
        return by_steps or bool(getattr(callback, "_should_trace", False))
    if name in _NAN_IS_SEEN_ANYWAY:
        return False
    return any(overrides(callback, hook) for hook in _BATCH_HOOKS)


def overrides(callback: keras.callbacks.Callback, hook: str) -> bool:
    """Whether a callback has a hook of its own."""
    found: Any = getattr(type(callback), hook, None)
    return found is not getattr(keras.callbacks.Callback, hook, None)


def pays_to_compile(model: Any, steps: int, batch_size: int, mode: Mode) -> bool:
    """Whether XLA is expected to save more time in the steps of a run than it takes to compile, on a CPU.

    Measured on two cores (docs/performance.md): per step and layer with weights about 20 us, and in dense layers about
    6 us per million multiplications; compiling takes 0.3 s, and 0.1 s for each of those layers, 1.5 s for
    a recurrent one. Convolutions are slower with XLA, many times so inside a loop, and never gain.
    """
    layers = [layer for layer in model._flatten_layers() if layer.weights and not getattr(layer, "layers", None)]
    if any("conv" in type(layer).__name__.lower() for layer in layers):
        return False
    recurrent = sum(isinstance(layer, keras.layers.RNN) for layer in layers)
    compiling = 0.3 + 0.1 * len(layers) + 1.5 * recurrent
    work = sum(math.prod(layer.kernel.shape) for layer in layers if isinstance(layer, keras.layers.Dense))
    overhead = 20e-6 * len(layers) if mode == "whole_epoch" else 0.0
    return steps * (overhead + 30e-3 * recurrent + 6e-12 * 2 * work * batch_size) > compiling

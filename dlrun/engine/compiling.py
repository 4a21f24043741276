"""Optimizer, loss, metrics and monitor: Keras objects from the config, and whether they fit the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import isclass
from typing import Any, Literal

import keras

from dlrun.config.metric_names import metric_names
from dlrun.config.schema import Component, Config, Monitor
from dlrun.data._dataset import Prepared
from dlrun.engine.scoring import gives_logits
from dlrun.engine.task_rules import check_loss, check_metrics, needs_one_hot
from dlrun.errors import ConfigError, Key, did_you_mean, listing
from dlrun.files import first_line
from dlrun.spec import TABLE_4_1, DataSpec, Task

_MAXIMISED = (
    *("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "sensitivity", "specificity", "top_k"),
    *("similarity", "correlation", "concordance"),
)


@dataclass(frozen=True)
class Compilation:
    """What `model.compile` gets, by the names that a config may state."""

    loss: str | dict[str, Any]
    metrics: list[str | dict[str, Any]]

    @property
    def metric_names(self) -> list[str]:
        """The names under which Keras logs the metrics."""
        return metric_names(self.metrics)


def choose_compilation(config: Config, task: Task) -> Compilation:
    """Loss and metrics as stated, else by the task (DLwP table 4-1).

    Raises ConfigError when the stated loss does not fit the task.
    """
    head = task.head
    if config.loss is not None:
        check_loss(config.loss, task)
    metrics: list[str | dict[str, Any]] = list(head.metrics if config.metrics is None else config.metrics)
    loss = config.loss if config.loss is not None else head.loss
    if task.kind == "multiclass" and config.loss is None and any(needs_one_hot(entry) for entry in metrics):
        loss = "categorical_crossentropy"  # the same loss on one-hot labels, which those metrics need
    check_metrics(metrics, loss, task)
    return Compilation(loss, metrics)


def make_optimizer(component: Component) -> keras.optimizers.Optimizer:
    """The Keras optimizer; `learning_rate` may be a one-key mapping of a schedule. Raises ConfigError."""
    arguments = component.parameters
    rate = arguments.get("learning_rate")
    if isinstance(rate, dict):
        ((name, options),) = rate.items()
        schedules = keras.optimizers.schedules
        key = ("optimizer", "learning_rate")
        arguments["learning_rate"] = _construct(_class_named(schedules, name, key), options or {}, key)
    section = ("optimizer",)
    return _construct(_class_named(keras.optimizers, component.name, section), arguments, section)


def make_loss(loss: str | dict[str, Any]) -> Any:
    """A Keras loss."""
    if isinstance(loss, str):
        return loss
    ((name, arguments),) = loss.items()
    return _construct(_class_named(keras.losses, name, ("loss",)), arguments or {}, ("loss",))


def make_metrics(metrics: Sequence[str | dict[str, Any]]) -> list[Any]:
    """Keras metrics; strings stay strings, which Keras resolves by the shapes of labels and outputs."""
    made = []
    for position, (entry, logged) in enumerate(zip(metrics, metric_names(metrics), strict=True)):
        if isinstance(entry, str):
            made.append(entry)
            continue
        ((name, arguments),) = entry.items()
        arguments = {"name": logged, **(arguments or {})}  # else Keras counts the objects of a process: auc, auc_1
        key = ("metrics", position)
        made.append(_construct(_class_named(keras.metrics, name, key), arguments, key))
    return made


def settled_sections(config: Config, data: Prepared) -> dict[str, Any]:
    """The sections `loss`, `metrics` and `monitor` with everything the config left open filled in from the data.

    Raises ConfigError when the stated loss does not fit the task or no such metric is logged.
    """
    compilation = choose_compilation(config, data.spec.task)
    metric, mode = resolve_monitor(config, compilation, validated="validation" in data.splits)
    return {"loss": compilation.loss, "metrics": compilation.metrics, "monitor": Monitor(metric=metric, mode=mode)}


def logged_names(metrics: Sequence[str | dict[str, Any]], *, validated: bool) -> list[str]:
    """Every name a run logs for these metrics."""
    known = ["loss", *metric_names(metrics)]
    return [f"val_{name}" for name in known] + known if validated else known


def compile_model(model: keras.Model, config: Config, spec: DataSpec) -> None:
    """Compile with the settled config. Raises ConfigError when the model's output cannot be the task's."""
    assert config.loss is not None, "settled before"
    assert config.metrics is not None, "settled before"
    _check_output(model, spec.task, config.loss)
    model.compile(
        optimizer=make_optimizer(config.optimizer),
        loss=make_loss(config.loss),
        metrics=make_metrics(config.metrics),
        jit_compile=config.runtime.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)  # a checkpoint is restored before the first step


def _check_output(model: keras.Model, task: Task, loss: str | dict[str, Any]) -> None:
    """The last layer's units and activation against the task. Raises ConfigError with the table."""
    if not getattr(model, "outputs", None):  # a subclassed model tells its output only when it is called
        return
    shape, units = tuple(model.outputs[0].shape), model.outputs[0].shape[-1]
    head, activation, logits = task.head, output_activation(model), gives_logits(loss)
    wrong = None
    if len(model.outputs) != 1 or len(shape) != 2:
        wrong = f"the model's output is {', '.join(str(tuple(tensor.shape)) for tensor in model.outputs)}"
    elif units != head.units:
        wrong = f"the last layer has {units} unit{'s' if units != 1 else ''}"
    elif task.classifies and activation == "relu":
        wrong = "the last layer's activation is relu"
    elif task.classifies and activation == "linear" and not logits:
        wrong = "the last layer has no activation, and the loss expects probabilities"
    elif task.classifies and activation in ("softmax", "sigmoid") and logits:
        wrong = f"the last layer's activation is {activation}, and the loss says from_logits"
    elif task.kind == "regression" and activation in ("softmax", "relu"):
        wrong = f"the last layer's activation is {activation}, which cannot give every number"
    if wrong:
        raise ConfigError(
            f"{wrong}; the data wants {head.units} with {head.activation or 'no activation'} ({task.kind})",
            key=("model", "layers") if model.name == "layers" else ("model", "name"),
            expected=TABLE_4_1,
            hint="let dlrun add the last layer: model.head: true" if model.name == "layers" else None,
        )


def output_activation(model: keras.Model) -> str | None:
    """The activation of the operation that makes the output; None when it has none to tell (`Softmax`, `keras.ops`)."""
    history = getattr(model.outputs[0], "_keras_history", None)
    activation = getattr(history.operation, "activation", None) if history else None
    return getattr(activation, "__name__", None)


def resolve_monitor(config: Config, compilation: Compilation, *, validated: bool) -> tuple[str, Literal["min", "max"]]:
    """The monitored metric and its mode ("min" or "max"). Raises ConfigError when no such metric is logged."""
    known = logged_names(compilation.metrics, validated=validated)
    metric = config.monitor.metric or ("val_loss" if validated else "loss")
    check_metric(metric, known, ("monitor", "metric"), validated=validated)
    mode = config.monitor.mode
    if mode == "auto":
        mode = _mode_of(metric.removeprefix("val_"), compilation.metrics)
    return metric, mode


def _mode_of(name: str, metrics: Sequence[str | dict[str, Any]]) -> Literal["min", "max"]:
    """Whether more is better: what the Keras metric says of itself, else by its name."""
    for entry, logged in zip(metrics, metric_names(metrics), strict=True):
        if logged == name:
            direction = getattr(_metric_object(entry), "_direction", None)
            if direction:
                return "max" if direction == "up" else "min"
    return "max" if any(part in name.lower() for part in _MAXIMISED) else "min"


def _metric_object(entry: str | dict[str, Any]) -> Any:
    if not isinstance(entry, str):
        return make_metrics([entry])[0]
    try:
        return keras.metrics.get(entry)
    except ValueError:  # "accuracy" and "crossentropy" exist only inside `compile`
        return None


def check_metric(metric: str, known: Sequence[str], key: Key, *, validated: bool) -> None:
    """Raise ConfigError unless `metric` is among the names a run logs."""
    if metric not in known:
        hint = did_you_mean(metric, known)
        if metric.startswith("val_") and not validated:
            hint = "there is no validation part: set split.validation, or monitor loss"
        raise ConfigError(f"{metric} is not a metric of this run", key=key, expected=listing(known), hint=hint)


def _class_named(module: Any, name: str, key: Key) -> Any:
    """The class of that name, whatever its case. Raises ConfigError."""
    classes = {name.lower(): found for name, found in vars(module).items() if isclass(found)}
    wanted = name.lower()
    if wanted not in classes and wanted.replace("_", "") not in classes:
        raise ConfigError(f"Keras has no {name} in {module.__name__}", key=key)
    return classes.get(wanted) or classes[wanted.replace("_", "")]


def _construct(cls: Any, arguments: dict[str, Any], key: Key) -> Any:
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Keras refuses the arguments of {cls.__name__}: {first_line(error)}", key=key) from error

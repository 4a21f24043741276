"""Optimizer, loss, metrics and monitor: Keras objects from the config, and whether they fit the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import isclass
from typing import Any, Literal

import keras

from dlrun.config.metric_names import all_metric_names, metric_names, more_is_better, split_name
from dlrun.config.schema import Component, Config, Monitor, Output
from dlrun.data._dataset import Prepared
from dlrun.engine.bare_loss import log_bare_loss
from dlrun.engine.scoring import gives_logits, outputs_by_task
from dlrun.engine.task_rules import check_loss, check_metrics, needs_one_hot
from dlrun.errors import ConfigError, Key, Problem, did_you_mean, listing
from dlrun.files import first_line
from dlrun.spec import TABLE_4_1, DataSpec, Task


def choose_output(stated: Output, task: Task, key: Key = ()) -> Output:
    """Loss and metrics as stated (below `key`), else by the task (DLwP table 4-1).

    Raises ConfigError when they do not fit the task.
    """
    head = task.head
    if stated.loss is not None:
        check_loss(stated.loss, task, key)
    metrics: list[str | dict[str, Any]] = list(head.metrics if stated.metrics is None else stated.metrics)
    loss = stated.loss if stated.loss is not None else head.loss
    if task.kind == "multiclass" and stated.loss is None and any(needs_one_hot(entry) for entry in metrics):
        loss = "categorical_crossentropy"  # the same loss on one-hot labels, which those metrics need
    check_metrics(metrics, loss, task, key)
    return Output(loss=loss, weight=stated.weight, metrics=metrics)


def choose_outputs(config: Config, tasks: Mapping[str, Task]) -> dict[str, Output]:
    """Loss and metrics of every task. Raises ConfigError with all that does not fit."""
    _check_sections(config, tasks)
    chosen, problems = {}, list[Problem]()
    for name, task in tasks.items():
        try:
            chosen[name] = choose_output(config.output(name), task, ("outputs", name) if len(tasks) > 1 else ())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems=problems)
    return chosen


def _check_sections(config: Config, tasks: Mapping[str, Task]) -> None:
    """One task is described by the top keys, several by `outputs`. Raises ConfigError."""
    names = ", ".join(tasks)
    if not tasks:
        raise ConfigError("the data has no targets, and the routine `fit` learns targets", key=("data",))
    if len(tasks) == 1 and config.outputs:
        hint = "write its loss and metrics at the top: loss: ..., metrics: [...]"
        raise ConfigError(f"the data has one task, {names}, and needs no `outputs`", key=("outputs",), hint=hint)
    if len(tasks) == 1:
        return
    for section in ("loss", "metrics"):
        if getattr(config, section) is not None:
            hint = f"write outputs: {{{next(iter(tasks))}: {{{section}: ...}}, ...}}"
            raise ConfigError(f"the data has several tasks: {names}", key=(section,), hint=hint)
    for name in config.outputs:
        if name not in tasks:
            near = did_you_mean(name, tasks)
            raise ConfigError(f"the data has no task {name!r}", key=("outputs", name), expected=names, hint=near)
    if config.training.class_weight is not None:
        raise ConfigError(
            "class weights are for data with one task",
            key=("training", "class_weight"),
            received=f"the tasks {names}",
            hint="outputs.TASK.weight weighs a whole task",
        )


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


def make_loss(loss: str | dict[str, Any], key: Key = ()) -> Any:
    """A Keras loss, stated below `key`."""
    if isinstance(loss, str):
        return loss
    ((name, arguments),) = loss.items()
    where = (*key, "loss")
    return _construct(_class_named(keras.losses, name, where), arguments or {}, where)


def make_metrics(metrics: Sequence[str | dict[str, Any]], key: Key = ()) -> list[Any]:
    """Keras metrics, stated below `key`; strings stay, which Keras resolves by the shapes of labels and outputs."""
    made = []
    for position, (entry, logged) in enumerate(zip(metrics, metric_names(metrics), strict=True)):
        if isinstance(entry, str):
            made.append(entry)
            continue
        ((name, arguments),) = entry.items()
        arguments = {"name": logged, **(arguments or {})}  # else Keras counts the objects of a process: auc, auc_1
        where = (*key, "metrics", position)
        made.append(_construct(_class_named(keras.metrics, name, where), arguments, where))
    return made


def settled_sections(config: Config, data: Prepared) -> dict[str, Any]:
    """The sections `loss` and `metrics` (or `outputs`) and `monitor` with everything the config left open filled in
    from the data.

    Raises ConfigError when a stated loss does not fit its task or no such metric is logged.
    """
    outputs = choose_outputs(config, data.spec.tasks)
    metric, mode = resolve_monitor(config, outputs, validated="validation" in data.splits)
    monitor = Monitor(metric=metric, mode=mode)
    if len(outputs) > 1:
        return {"outputs": outputs, "monitor": monitor}
    (only,) = outputs.values()
    return {"loss": only.loss, "metrics": only.metrics, "monitor": monitor}


def settled_outputs(config: Config, spec: DataSpec) -> dict[str, Output]:
    """The outputs of a settled config by task, also when there is but one."""
    return {name: config.output(name) for name in spec.tasks}


def logged_names(outputs: Mapping[str, Output], *, validated: bool) -> list[str]:
    """Every name a run logs for these outputs."""
    known = all_metric_names({name: output.metrics or [] for name, output in outputs.items()})
    return [f"val_{name}" for name in known] + known if validated else known


def compile_model(model: keras.Model, config: Config, spec: DataSpec, *, learning_rate: float | None = None) -> None:
    """Compile with the settled config, at another learning rate if one is given. Raises ConfigError when the model's
    outputs cannot be those of the tasks.
    """
    outputs = settled_outputs(config, spec)
    several = len(outputs) > 1
    _check_outputs(model, spec, outputs)
    optimizer = config.optimizer
    if learning_rate is not None:
        optimizer = optimizer.model_copy(update={"learning_rate": learning_rate})
    losses, metrics = {}, {}
    for name, output in outputs.items():
        assert output.loss is not None, "settled before"
        key: Key = ("outputs", name) if several else ()
        losses[name], metrics[name] = make_loss(output.loss, key), make_metrics(output.metrics or [], key)
    model.compile(
        optimizer=make_optimizer(optimizer),
        loss=losses if several else next(iter(losses.values())),
        loss_weights={name: output.weight for name, output in outputs.items()} if several else None,
        metrics=metrics if several else next(iter(metrics.values())),
        jit_compile=config.runtime.jit_compile,
    )
    log_bare_loss(model)
    model.optimizer.build(model.trainable_variables)  # a checkpoint is restored before the first step


def _check_outputs(model: keras.Model, spec: DataSpec, outputs: Mapping[str, Output]) -> None:
    """Each output of the model against its task. Raises ConfigError with the table."""
    tensors = outputs_by_task(model, spec.tasks)
    if tensors is None:  # a subclassed model tells its output only when it is called
        return
    if tensors.keys() != spec.tasks.keys():
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())
        wanted = "one output" if len(spec.tasks) == 1 else f"a dict of outputs with the names {', '.join(spec.tasks)}"
        raise ConfigError(f"the model's output is {shapes}", key=_key_of(model), expected=wanted)
    for name, task in spec.tasks.items():
        if wrong := _unfit(tensors[name], task, outputs[name].loss):
            which = f"output {name}: " if len(spec.tasks) > 1 else ""
            raise ConfigError(
                f"{which}{wrong}; the data wants {task.head.units} with {task.head.activation or 'no activation'} "
                f"({task.kind})",
                key=_key_of(model),
                expected=TABLE_4_1,
                hint="let dlrun add the last layer: model.head: true" if model.name in ("layers", "graph") else None,
            )


def _key_of(model: keras.Model) -> Key:
    """Where the config says how the model ends."""
    return ("model", {"layers": "layers", "graph": "nodes"}.get(model.name, "name"))


def _unfit(tensor: Any, task: Task, loss: object) -> str | None:
    """What is wrong with an output for a task, or None: its shape, the last layer's units or activation."""
    shape, units, head = tuple(tensor.shape), tensor.shape[-1], task.head
    activation, logits = output_activation(tensor), gives_logits(loss)
    if len(shape) != 2:
        return f"the model's output is {shape}"
    if units != head.units:
        return f"the last layer has {units} unit{'s' if units != 1 else ''}"
    if task.kind == "regression" and activation in ("softmax", "relu"):
        return f"the last layer's activation is {activation}, which cannot give every number"
    if not task.classifies:
        return None
    if activation == "relu":
        return "the last layer's activation is relu"
    if activation == "linear" and not logits:
        return "the last layer has no activation, and the loss expects probabilities"
    if activation in ("softmax", "sigmoid") and logits:
        return f"the last layer's activation is {activation}, and the loss says from_logits"
    return None


def output_activation(tensor: Any) -> str | None:
    """The activation of the operation that makes an output; None when it has none to tell (`Softmax`, `keras.ops`)."""
    history = getattr(tensor, "_keras_history", None)
    activation = getattr(history.operation, "activation", None) if history else None
    return getattr(activation, "__name__", None)


def resolve_monitor(
    config: Config, outputs: Mapping[str, Output], *, validated: bool
) -> tuple[str, Literal["min", "max"]]:
    """The monitored metric and its mode ("min" or "max"). Raises ConfigError when no such metric is logged."""
    known = logged_names(outputs, validated=validated)
    metric = config.monitor.metric or ("val_loss" if validated else "loss")
    check_metric(metric, known, ("monitor", "metric"), validated=validated)
    mode = config.monitor.mode
    if mode == "auto":
        owner, bare = split_name(metric, outputs)
        mode = _mode_of(bare, (outputs[owner].metrics if owner else None) or [])
    return metric, mode


def _mode_of(name: str, metrics: Sequence[str | dict[str, Any]]) -> Literal["min", "max"]:
    """Whether more is better: what the Keras metric says of itself, else by its name."""
    for entry, logged in zip(metrics, metric_names(metrics), strict=True):
        if logged == name:
            direction = getattr(_metric_object(entry), "_direction", None)
            if direction:
                return "max" if direction == "up" else "min"
    return "max" if more_is_better(name) else "min"


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

"""What no single key can tell: does the monitor name something that will be logged, do the split's keys go together?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from dlrun import keras_names
from dlrun.config.estimators import check_routine
from dlrun.config.expected import check_expectations, logged_names_expected
from dlrun.config.gan_rules import check_centred, check_gan
from dlrun.config.graph_nodes import check_graph
from dlrun.config.metric_names import metric_names
from dlrun.config.nodes import Report, dotted
from dlrun.config.picture_routines import check_picture_routine
from dlrun.config.schema import Fold
from dlrun.config.space import check_space
from dlrun.config.text_rules import check_language_model
from dlrun.errors import Key, did_you_mean, listing
from dlrun.spec import Task, TaskKind

_PREFIXES = ("val", "test", "baseline")
_USUAL = list(dict.fromkeys(name for kind in get_args(TaskKind) for name in Task(kind).head.metrics))


def check_coherence(report: Report, plain: dict[str, Any]) -> None:
    """Report what contradicts itself. Values of a wrong type were reported before and are passed over."""
    split = plain["split"] if isinstance(plain.get("split"), dict) else {}
    _check_split(report, split)
    _check_kfold(report, plain.get("kfold"), split)
    _check_class_weight(report, plain)
    _check_draws(report, plain)
    _check_stages(report, plain)
    _check_strategy(report, plain)
    check_space(report, plain)
    check_graph(report, plain)
    check_routine(report, plain)
    check_picture_routine(report, plain)
    check_gan(report, plain)
    check_centred(report, plain)
    check_language_model(report, plain)
    check_expectations(report, plain)
    routine = plain.get("routine")
    if isinstance(routine, dict) and routine.get("name") != "fit":
        return  # other routines log other things
    _check_one_or_several(report, plain)
    if report.reported(("metrics",)) or report.reported(("outputs",)):
        return
    logged = _logged_names(report, plain)
    for key, name in _monitored(plain):
        known = _is_logged(report, key, name, logged)
        slip = None if known else _misspelt_prefix(name, plain)
        if not report.reported(key) and (slip or not (known or _may_be_of_an_output(name, plain))):
            _add_unknown(report, key, name, logged, slip)
        elif not report.reported(key) and name.startswith("val_") and _never_validates(split):
            message = f"{dotted(key)} needs a validation part, and split.validation is 0"
            report.add(key, message, received=name, hint=f"write {name.removeprefix('val_')}, or set split.validation")


def check_trainable(report: Report, plain: dict[str, Any]) -> None:
    """Report what a config lacks that shall be trained."""
    routine = plain.get("routine")
    if isinstance(routine, dict) and routine.get("name") in ("fit", "gan", "language_model") and "model" not in plain:
        report.add(("model",), "the key `model` is missing", hint="add `model: mlp`; `dlrun list models` shows all")


def _check_one_or_several(report: Report, plain: dict[str, Any]) -> None:
    """Loss and metrics stand at the top for one task, under `outputs` for several."""
    stated = [name for name in ("loss", "metrics") if plain.get(name) is not None]
    if isinstance(plain.get("outputs"), dict) and plain["outputs"] and stated:
        hint = f"with several tasks write it under each output; with one task remove `outputs` and keep {stated[0]}"
        message = f"{stated[0]} stands at the top and `outputs` is there, too"
        report.add((stated[0],), message, on="key", hint=hint)


def _logged_names(report: Report, plain: dict[str, Any]) -> list[str]:
    """What `fit` logs: the stated metrics, or those that any task may bring (table 4-1)."""
    outputs = plain.get("outputs")
    if isinstance(outputs, dict) and outputs:
        names = ["loss"]
        for output, values in outputs.items():
            metrics = values.get("metrics") if isinstance(values, dict) else None
            own = ["loss", *_metric_names(report, ("outputs", output, "metrics"), metrics)]
            names += [f"{output}_{name}" for name in own]
    else:
        names = ["loss", *_metric_names(report, ("metrics",), plain.get("metrics"))]
    return [*names, *(f"val_{name}" for name in names)]


def _metric_names(report: Report, key: Key, metrics: Any) -> list[str]:
    """The names of the metrics stated at `key`; those of any task when none are."""
    if not isinstance(metrics, list):
        return _USUAL
    names = metric_names(metrics)
    for index, name in enumerate(names):
        if name == "loss" or name in names[:index]:
            hint = "give it another name, such as {AUC: {name: area}}"
            report.add((*key, index), f"another value is logged as {name}, too", hint=hint)
    return names


def _may_be_of_an_output(name: str, plain: dict[str, Any]) -> bool:
    """Whether a name such as val_age_mae can be that of an output which the config does not mention; the data tells."""
    bare = name.removeprefix("val_")
    if plain.get("loss") is not None or plain.get("metrics") is not None or keras_names.canonical("metrics", bare):
        return False
    outputs = plain["outputs"] if isinstance(plain.get("outputs"), dict) else {}
    owners = [bare.removesuffix(f"_{metric}") for metric in ("loss", *_USUAL) if bare.endswith(f"_{metric}")]
    return any(owner and owner not in outputs for owner in owners)


def _misspelt_prefix(name: str, plain: dict[str, Any]) -> str | None:
    """The name with its first word put right, where that is a slip of `val`, `test` or `baseline`."""
    word, _, rest = name.partition("_")
    data = plain["data"] if isinstance(plain.get("data"), dict) else {}
    named = plain.get("outputs"), data.get("target")
    tasks = [task for names in named if isinstance(names, list | dict) for task in names]
    if any(name.startswith(f"{task}_") for task in tasks):
        return None
    slips = (prefix for prefix in _PREFIXES if word != prefix and _is_slip(word.lower(), prefix))
    return next((f"{prefix}_{rest}" for prefix in slips if rest), None)


def _is_slip(word: str, meant: str) -> bool:
    """Whether a letter of what was meant is missing, doubled or swapped with the next, or all are there in capitals.

    Another letter in the place of one is no slip: `text` is the name of many a task.
    """
    swapped = {meant[:i] + meant[i + 1] + meant[i] + meant[i + 2 :] for i in range(len(meant) - 1)}
    missing = {meant[:i] + meant[i + 1 :] for i in range(len(meant))}
    more = {word[:i] + word[i + 1 :] for i in range(len(word))}
    return word == meant or word in swapped | missing or meant in more


def _monitored(plain: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Every place that names a metric to watch."""
    monitor = plain.get("monitor")
    if isinstance(monitor, dict) and isinstance(monitor.get("metric"), str):
        yield ("monitor", "metric"), monitor["metric"]
    yield from logged_names_expected(plain)
    callbacks = plain.get("callbacks")
    for index, callback in enumerate(callbacks if isinstance(callbacks, list) else []):
        if isinstance(callback, dict) and isinstance(callback.get("monitor"), str):
            yield ("callbacks", index, "monitor"), callback["monitor"]


def _is_logged(report: Report, key: Key, name: str, logged: list[str]) -> bool:
    """What Keras' callbacks or a plugin's model log besides can be watched, but not be the definition of best."""
    return name in logged or (key != ("monitor", "metric") and (name == "learning_rate" or bool(report.plugins)))


def _add_unknown(report: Report, key: Key, name: str, logged: list[str], slip: str | None) -> None:
    metric = name.removeprefix("val_")
    prefix = "val_" if name.startswith("val_") else ""
    owned = [known for known in logged if known.startswith(prefix) and known.endswith(f"_{metric}")]
    several = any(known.endswith("_loss") and known != "val_loss" for known in logged)
    if slip:
        hint: str | None = f"did you mean {slip}? A task of that name would stand under `outputs`"
    elif owned and several:
        hint = f"did you mean {owned[0]}?"
    elif keras_names.canonical("metrics", metric):
        hint = f"add {metric} to `metrics`"
    else:
        known = [f"{part}{metric}" for part in ("", "val_") for metric in keras_names.names("metrics")]
        hint = did_you_mean(name, logged) or did_you_mean(name, known)
    report.add(key, f"{dotted(key)} is not a metric of this run", received=name, expected=listing(logged), hint=hint)


def _never_validates(split: dict[str, Any]) -> bool:
    value = split.get("validation")
    none = value in (0, 0.0) and not isinstance(value, bool)
    return none and not split.get("fold") and split.get("kind") != "given"


def _check_class_weight(report: Report, plain: dict[str, Any]) -> None:
    training = plain.get("training")
    weights = training.get("class_weight") if isinstance(training, dict) else None
    for label, weight in weights.items() if isinstance(weights, dict) else ():
        key: Key = ("training", "class_weight", label)
        if isinstance(weight, int | float) and not weight >= 0 and not report.reported(key):
            report.add(key, f"{dotted(key)} is out of range", received=str(weight), expected="0 or more")


def _check_draws(report: Report, plain: dict[str, Any]) -> None:
    training = plain.get("training")
    if isinstance(training, dict) and training.get("draws") == "with_replacement" and training.get("shuffle") is False:
        key: Key = ("training", "shuffle")
        message = "training.shuffle is false, and draws with replacement have no order"
        report.add(key, message, hint="remove one of both")


def _check_stages(report: Report, plain: dict[str, Any]) -> None:
    """Report epochs that are not those of the stages."""
    training = plain["training"] if isinstance(plain.get("training"), dict) else {}
    stages = training.get("stages")
    stages = stages if isinstance(stages, list) else []
    counts = [stage["epochs"] for stage in stages if isinstance(stage, dict) and isinstance(stage.get("epochs"), int)]
    if stages and len(counts) == len(stages) and training.get("epochs") != sum(counts):
        message = f"training.epochs is {training.get('epochs')}, and the stages have {sum(counts)} epochs"
        report.add(("training", "epochs"), message, hint="state them in the stages only: training.stages[0].epochs")
    model = plain["model"] if isinstance(plain.get("model"), dict) else {}
    random = model.get("name") == "pretrained" and model.get("weights", "") is None
    learned = model.get("trainable") or any(isinstance(one, dict) and one.get("unfreeze") for one in stages)
    if random and not learned:
        message = "a base without weights that never learns is a random one"
        report.add(("model", "weights"), message, received="null", hint="add trainable: true")


def _check_strategy(report: Report, plain: dict[str, Any]) -> None:
    """Report what a run of several devices cannot be."""
    runtime = plain["runtime"] if isinstance(plain.get("runtime"), dict) else {}
    backend = {"mirrored": "tensorflow", "data_parallel": "jax"}.get(str(runtime.get("strategy")))
    if backend is None:
        return
    strategy, key = runtime["strategy"], ("runtime", "strategy")
    if runtime.get("backend", "tensorflow") != backend:
        other = "mirrored" if strategy == "data_parallel" else "data_parallel"
        hint = f"set runtime.backend: {backend}, or strategy: {other}"
        report.add(key, f"runtime.strategy {strategy} is for the backend {backend}", hint=hint)
    if str(runtime.get("device")).startswith("gpu:"):
        message = f"runtime.strategy {strategy} uses all GPUs, and runtime.device names one"
        report.add(("runtime", "device"), message, expected="auto, gpu or cpu", hint="choose by CUDA_VISIBLE_DEVICES")
    if runtime.get("execution") == "whole_epoch":
        report.add(("runtime", "execution"), f"runtime.strategy {strategy} is stepwise", expected="auto or stepwise")
    if runtime.get("jit_compile") is True and strategy == "mirrored":
        message = "runtime.strategy mirrored is without XLA: both together may hang (keras#20763)"
        report.add(("runtime", "jit_compile"), message, expected="auto or false")
    training = plain.get("training")
    if isinstance(training, dict) and training.get("batch_size") == 1:
        report.add(("training", "batch_size"), "devices cannot share a batch of one row", expected="2 or more")


def _check_kfold(report: Report, kfold: Any, split: dict[str, Any]) -> None:
    if not isinstance(kfold, dict):
        return
    kind = kfold.get("kind") or split.get("kind")
    if kind == "grouped" and split.get("group") is None and not report.reported(("split", "kind")):
        report.add(("kfold", "kind"), "kfold.kind grouped needs split.group", hint="add `split: {group: COLUMN}`")
    repeats = kfold.get("repeats")
    if kind in ("head", "time") and isinstance(repeats, int) and repeats > 1:
        message = f"folds of kind {kind} are the same in every repetition"
        report.add(("kfold", "repeats"), message, received=str(repeats), hint="kfold.kind: shuffled or stratified")


def _check_split(report: Report, split: dict[str, Any]) -> None:
    for name in ("validation", "test", "training"):
        value = split.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if (not value >= 0 or (isinstance(value, float) and value >= 1)) and not report.reported(("split", name)):
            expected = "a share from 0 to below 1, or a number of rows (an integer)"
            report.add(("split", name), f"split.{name} is out of range", received=str(value), expected=expected)
    if split.get("kind") == "grouped" and split.get("group") is None:
        report.add(("split", "kind"), "split.kind grouped needs split.group", hint="add `group: COLUMN`")
    fold = split.get("fold")
    if isinstance(fold, dict):
        index, count = fold.get("index"), fold.get("n_splits", Fold.model_fields["n_splits"].default)
        if isinstance(index, int) and isinstance(count, int) and index >= count >= 2:
            key: Key = ("split", "fold", "index")
            report.add(key, "split.fold.index is out of range", received=str(index), expected=f"0 to {count - 1}")

"""Keras objects in a config (`relu`, `Flatten`, `{Dense: {units: 32}}`) against the source of the installed Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dlrun import keras_names
from dlrun.config.arguments import Taker, check_arguments, check_type
from dlrun.config.dumping import flow
from dlrun.config.nodes import Report, dotted, is_number, show_value
from dlrun.config.types import Type
from dlrun.errors import Key
from dlrun.signatures import Parameter

_INTEGERS = ("units", "filters", "patience", "output_dim", "input_dim", "num_heads", "key_dim")
_POSITIVE = ("units", "filters", "output_dim", "input_dim", "num_heads", "key_dim", "learning_rate", "decay_steps")
_NOT_NEGATIVE = ("patience", "min_delta", "weight_decay", "epsilon", "l1", "l2")
_SIZES = ("kernel_size", "pool_size", "strides", "dilation_rate")
_FRACTIONS = ("dropout", "recurrent_dropout", "momentum", "ema_momentum")
_BRING_A_MODEL = "write a model of your own in Python and name its file under `plugins`"
_TAKE_PYTHON = {  # what YAML cannot hold, and what to do instead
    "LearningRateScheduler": "give optimizer.learning_rate a schedule: {ExponentialDecay: {...}}, {CosineDecay: {...}}",
    "LambdaCallback": "write a routine of your own in Python and name its file under `plugins`",
    **dict.fromkeys(("Lambda", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), _BRING_A_MODEL),
}
_CHOICES = {  # in any case
    "padding": Type("Literal", ("valid", "same", "causal")),
    "merge_mode": Type("Literal", ("concat", "sum", "mul", "ave")),
    "curve": Type("Literal", ("roc", "pr")),
}
_RENAMED = ("losses", "metrics", "initializers", "regularizers", "constraints")  # stored by the class' own name


def check_object(report: Report, kind: str, key: Key, value: Any) -> Any:
    """A name, or a one-key mapping of a name to Keras' own arguments, of any kind but activations."""
    if isinstance(value, str):
        own = keras_names.canonical(kind, value)
        if own is None:
            _unknown(report, kind, key, value, on="value")
            return value
        if not _takes_python(report, kind, value, key):
            check_arguments(report, key, {}, replace(_taker(report, kind, value), alone=value))
        return value if kind not in _RENAMED or keras_names.is_string(kind, value) else {own: {}}
    if not isinstance(value, dict) or len(value) != 1:
        _wrong_notation(report, kind, key, value)
        return value
    ((name, arguments),) = value.items()
    inner = (*key, name)
    own = keras_names.canonical(kind, str(name))
    if own is None:
        _unknown(report, kind, inner, str(name), on="key")
        return value
    if arguments is not None and not isinstance(arguments, dict):
        _arguments_wanted(report, kind, inner, arguments)
        return value
    checked = _check_call(report, kind, str(name), inner, arguments or {})
    if keras_names.is_chosen_by_task(kind, own):
        return own
    return {own if kind in _RENAMED else name: checked}


def _unknown(report: Report, kind: str, key: Key, name: str, *, on: Any) -> None:
    problem = keras_names.unknown(kind, name).problems[0]
    report.add(key, problem.message, on=on, expected=problem.expected, hint=problem.hint)


def _wrong_notation(report: Report, kind: str, key: Key, value: Any) -> None:
    noun = keras_names.noun(kind)
    hint, received = None, show_value(value)
    if isinstance(value, dict) and value:
        received = f"a mapping with the keys {', '.join(map(str, value))}"
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        rest = {k: v for k, v in value.items() if k != "name"}
        hint = f"write {flow({value['name']: rest} if rest else value['name'])}"
    elif kind == "losses" and isinstance(value, dict) and value and not _begins_with_name(kind, value):
        hint = "losses of several outputs stand under `outputs`, by task: " + flow({"outputs": _by_output(value)})
    elif isinstance(value, dict) and len(value) > 1:
        first, *rest_names = value
        hint = "indent the arguments deeper than the name"
        if value[first] is None:
            hint += f", or write {flow({first: {k: value[k] for k in rest_names}})}"
    article = "an" if noun[0] in "aeiou" else "a"
    report.add(
        key,
        f"{dotted(key)} is not {article} {noun}",
        received=received,
        expected="a name, or a mapping of one name to its arguments",
        hint=hint,
    )


def _by_output(losses: dict[Any, Any]) -> dict[Any, Any]:
    """Keras' mapping of losses as the section `outputs` has it."""
    return {name: {"loss": loss} if loss is not None else {} for name, loss in losses.items()}


def _begins_with_name(kind: str, value: dict[Any, Any]) -> bool:
    """Whether the first key is an object's name, so that the others may be its arguments."""
    return keras_names.canonical(kind, str(next(iter(value)))) is not None


def _arguments_wanted(report: Report, kind: str, key: Key, arguments: Any) -> None:
    parameters = keras_names.signature(kind, str(key[-1])).parameters
    hint = f"write {key[-1]}: {{{parameters[0].name}: {arguments}}}" if parameters else f"write {key[-1]}"
    report.add(
        key,
        f"the arguments of the {keras_names.noun(kind)} {key[-1]} are not a mapping",
        received=show_value(arguments),
        expected="a mapping of argument names to values",
        hint=hint,
    )


def _check_call(report: Report, kind: str, name: str, key: Key, arguments: dict[Any, Any]) -> dict[Any, Any]:
    if _takes_python(report, kind, name, key):
        return arguments
    return check_arguments(report, key, arguments, _taker(report, kind, name))


def _takes_python(report: Report, kind: str, name: str, key: Key) -> bool:
    """Report an object that needs something only Python can give."""
    if kind in ("callbacks", "layers") and name in _TAKE_PYTHON:
        message = f"the {keras_names.noun(kind)} `{name}` needs Python code, which a config cannot hold"
        report.add(key, message, hint=_TAKE_PYTHON[name])
        return True
    return False


def _taker(report: Report, kind: str, name: str, without: str = "", supplied: tuple[str, ...] = ()) -> Taker:
    """A Keras object as what takes arguments."""
    signature = keras_names.signature(kind, name)

    def check_value(parameter: Parameter, key: Key, value: Any) -> Any:
        return check_keras_value(report, name, parameter, key, value)

    return Taker(
        f"the {keras_names.noun(kind)} `{name}`",
        {p.name: p for p in signature.parameters if p.name != without},
        check_value,
        supplied,
        signature.open,
    )


def check_layers(report: Report, key: Key, value: Any) -> Any:
    """A list of Keras layers."""
    if not isinstance(value, list):
        report.add(
            key,
            f"{dotted(key)} is not a list of Keras layers",
            received=show_value(value),
            hint="write one `- Name` per layer",
        )
        return value
    return _check_objects(report, key, value)


def _check_objects(report: Report, key: Key, value: list[Any]) -> list[Any]:
    return [check_layer(report, (*key, index), item) for index, item in enumerate(value)]


def check_layer(report: Report, key: Key, value: Any) -> Any:
    """One Keras layer, which is no input layer."""
    name = next(iter(value), None) if isinstance(value, dict) else value
    if name in ("Input", "InputLayer"):
        report.add(key, "dlrun adds the input layer itself, as the data has it", hint="remove this layer")
        return value
    return check_object(report, "layers", key, value)


def check_activation(report: Report, key: Key, value: Any) -> Any:
    """The name of a Keras activation, or null for none."""
    if value is None:
        return None
    if not isinstance(value, str):
        report.add(
            key, f"{dotted(key)} is not the name of an activation", received=show_value(value), expected="text, or null"
        )
    elif keras_names.canonical("activations", value) is None:
        _unknown(report, "activations", key, value, on="value")
    return value


def check_keras_value(report: Report, owner: str, parameter: Parameter, key: Key, value: Any) -> Any:
    """One argument of a Keras object, by its name and its default."""
    name = parameter.name
    if value is None and not parameter.required:
        return None
    if name in keras_names.LAYER_ARGUMENTS:
        listed = isinstance(value, list)
        return _check_objects(report, key, value) if listed else check_object(report, "layers", key, value)
    for ending, other in keras_names.OBJECT_ENDINGS.items():
        if name.endswith(ending):
            return check_object(report, other, key, value)
    if name == "activation" or name.endswith("_activation"):
        return check_activation(report, key, value)
    if name == "learning_rate" and (
        isinstance(value, dict) or (isinstance(value, str) and keras_names.canonical("schedules", value))
    ):
        return check_object(report, "schedules", key, value)
    before = len(report.problems)
    value = _check_by_default(report, parameter, key, value)
    if len(report.problems) == before:
        _check_range(report, owner, name, key, value)
    return value


def _check_by_default(report: Report, parameter: Parameter, key: Key, value: Any) -> Any:
    """The type of a literal default tells the type of the argument where that is safe."""
    default = parameter.default
    if isinstance(default, str) and isinstance(value, str) and parameter.name in _CHOICES:
        check_type(report, key, value.lower(), _CHOICES[parameter.name])
        return value
    if isinstance(default, bool):
        return check_type(report, key, value, Type("bool"))
    if parameter.name in _INTEGERS:
        return check_type(report, key, value, Type("int"))
    if isinstance(default, float) or parameter.name in ("learning_rate", "rate", "scale"):
        single = (*_POSITIVE, *_NOT_NEGATIVE, *_FRACTIONS)  # others may be a list, as `alpha`, one for each class
        listed = isinstance(value, list) and parameter.name not in single
        return value if listed else check_type(report, key, value, Type("float"))
    if isinstance(default, int) and (
        isinstance(value, str) or (isinstance(value, bool) and parameter.name != "verbose")
    ):
        return check_type(report, key, value, Type("int"))
    if (isinstance(default, tuple) or parameter.name in _SIZES) and isinstance(value, str | bool):
        return check_type(report, key, value, Type("Union", (Type("int"), Type("list", (Type("int"),)))))
    return value


def _check_range(report: Report, owner: str, name: str, key: Key, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not is_number(value):
        report.add(key, f"{dotted(key)} is not a number", received=show_value(value))
        return
    wanted = None
    if name in _POSITIVE and not value > 0:
        wanted = "more than 0"
    elif name in _NOT_NEGATIVE and not value >= 0:
        wanted = "0 or more"
    elif (name in _FRACTIONS or (name == "rate" and "Dropout" in owner)) and not 0 <= value <= 1:
        wanted = "from 0 to 1"
    elif owner == "ReduceLROnPlateau" and name == "factor" and not 0 < value < 1:
        wanted = "more than 0, less than 1"
    elif name == "gradient_accumulation_steps" and not value >= 2:
        wanted = "2 or more"
    if wanted:
        hint = f"write {value / 100:g} for {value:g} %" if wanted == "from 0 to 1" and 1 < value <= 100 else None
        report.add(key, f"{dotted(key)} is out of range", received=f"{value:g}", expected=wanted, hint=hint)


def check_named(
    report: Report, kind: str, key: Key, section: dict[Any, Any], supplied: tuple[str, ...] = ()
) -> dict[Any, Any]:
    """A section with `name` and Keras' own arguments beside it: the optimizer, or one callback."""
    name = section.get("name")
    if not isinstance(name, str):
        return section
    if keras_names.canonical(kind, name) is None:
        _unknown(report, kind, (*key, "name"), name, on="value")
        return section
    if _takes_python(report, kind, name, (*key, "name")):
        return section
    arguments = {k: v for k, v in section.items() if k != "name"}
    taker = _taker(report, kind, name, without="name", supplied=supplied)
    return {"name": name, **check_arguments(report, key, arguments, taker)}

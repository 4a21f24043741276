"""Layers by name, also those inside of nested models, and what they give while the model computes."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras

from dlrun.errors import ConfigError, Key, UnknownNameError, did_you_mean, listing

_POOLS = tuple(
    getattr(keras.layers, f"{kind}Pooling{dimensions}D") for kind in ("Max", "Average") for dimensions in (1, 2)
)
_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.SeparableConv1D,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


class _Reached(BaseException):
    """The layer has been computed, the rest is not wanted; no Exception, which Keras would wrap."""


def all_layers(model: keras.Model) -> dict[str, Any]:
    """Every layer by its path in order of the model: `dense`, or `vgg16/block5_conv3` inside of a nested model."""
    return dict(_walk(model, ""))


def _walk(model: keras.Model, above: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if isinstance(layer, keras.Model):
            yield from _walk(layer, f"{above}{layer.name}/")
        else:
            yield f"{above}{layer.name}", layer


def is_convolution(layer: Any) -> bool:
    """Whether the layer is one of Keras' convolutions, or of a class made from one."""
    return isinstance(layer, _CONVOLUTIONS)


def shows_features(layer: Any) -> bool:
    """Whether a layer's output is worth looking at by default: convolutions, pooling, Dense."""
    return is_convolution(layer) or isinstance(layer, (*_POOLS, keras.layers.Dense))


def chosen_layers(model: keras.Model, names: Sequence[str], key: Key | None = None) -> dict[str, Any]:
    """The layers with these names: paths, or the last part of a path where only one layer has it.

    Raises UnknownNameError, or ConfigError when several layers have the name; `key` is where they stand in the config.
    """
    layers, chosen = all_layers(model), dict[str, Any]()
    for name in names:
        found = [path for path in layers if name in (path, path.rpartition("/")[2])]
        found = [name] if name in layers else found
        if not found:
            short = dict.fromkeys(path.rpartition("/")[2] for path in layers)
            hint = did_you_mean(name, [*layers, *short])
            raise UnknownNameError(f"the model has no layer {name!r}", key=key, expected=listing(short, 20), hint=hint)
        if len(found) > 1:
            raise ConfigError(f"several layers are called {name!r}", key=key, expected=f"one of {listing(found)}")
        chosen[found[0]] = layers[found[0]]
    return chosen


@contextlib.contextmanager
def tapped(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """While this lasts the layer gives `change(output)` instead of its output, when it is first used.

    The layer's `call` is replaced, so that this works wherever the layer stands: in nested models, in subclassed ones.
    """
    call, uses = layer.call, []

    def call_and_change(*arguments: Any, **options: Any) -> Any:
        output = call(*arguments, **options)
        uses.append(1)
        return change(output) if len(uses) == 1 else output

    with _replaced(layer, "call", call_and_change):
        yield


@contextlib.contextmanager
def without_activation(operation: Any) -> Iterator[None]:
    """While this lasts the operation leaves out its activation, or, if it is nothing else, gives what it gets."""
    if vars(operation).get("activation") is not None:
        change = _replaced(operation, "activation", keras.activations.linear)
    else:
        change = _replaced(operation, "call", lambda inputs, *_arguments, **_options: inputs)
    with change:
        yield


@contextlib.contextmanager
def _replaced(operation: Any, name: str, value: Any) -> Iterator[None]:
    """While this lasts an attribute has another value; past Keras' `__setattr__`, which would track it."""
    own = vars(operation)
    before = {name: own[name]} if name in own else {}
    own[name] = value
    try:
        yield
    finally:
        del own[name]
        own.update(before)


def run_to(model: keras.Model, inputs: Any, layer: Any) -> Any:
    """What `layer` gives for these inputs; nothing behind it is computed, whatever shapes it wants.

    Raises ConfigError when the model never gets to the layer.
    """
    found: list[Any] = []

    def stop(output: Any) -> Any:
        found.append(output)
        raise _Reached

    with contextlib.suppress(_Reached), tapped(layer, stop):
        model(inputs, training=False)
    if not found:
        raise ConfigError(f"the layer {layer.name!r} has no part in the model's output")
    return found[0]


def recorded(model: keras.Model, inputs: Any, layers: Mapping[str, Any]) -> dict[str, Any]:
    """What these layers give for these inputs, by name; a layer without part in the output is missing."""
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        for name, layer in layers.items():
            stack.enter_context(tapped(layer, functools.partial(found.setdefault, name)))
        model(inputs, training=False)
    return found


def accept_any_size(model: keras.Model) -> None:
    """Let a model in memory, and those nested in it, take pictures of another size than they were made for."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Model):
            layer.input_spec = None

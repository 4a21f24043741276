"""Any stack of Keras layers, written in the config."""

from __future__ import annotations

import keras

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._heads import output
from dlrun.models._inputs import single_input
from dlrun.models._objects import make_layer, split_notation
from dlrun.spec import DataSpec, Layers


@dlrun.model("layers")
def stack(spec: DataSpec, *, layers: Layers, head: bool = True) -> keras.Model:
    """A stack of Keras layers, one after the other.

    Each item is a layer's name (`Flatten`) or a one-key mapping with Keras' own arguments (`Dense: {units: 32}`).

    Args:
        spec: What the data looks like.
        layers: The layers, without the input layer.
        head: Add the last layer that the task wants (table 4-1); false when the list already ends with it.

    Raises:
        ConfigError: A layer refuses its arguments or its input, or the stack does not end as the head needs it.
    """
    inputs = features = single_input(spec, "layers")
    _check_names(layers, {*spec.inputs, *(spec.tasks if head else ())})
    for position, item in enumerate(layers):
        _check_vocabulary(item, spec, position)
        features = _apply(item, features, position)
    if head:
        _check_ready_for_head(layers, features)
        features = output(spec, features)
    return keras.Model(inputs, features, name="layers")


def _check_names(layers: list[object], taken: set[str]) -> None:
    """Raise ConfigError when two layers have one name, or one has the name of an input or of the output."""
    for position, item in enumerate(layers):
        name = split_notation(item)[1].get("name")
        if name in taken:
            raise ConfigError(
                f"the name {name!r} is taken by another layer, an input or the output",
                key=("model", "layers", position),
            )
        taken = taken | ({name} if name else set())


def _check_vocabulary(item: object, spec: DataSpec, position: int) -> None:
    """Raise ConfigError when an Embedding on the input has fewer rows than there are word ids."""
    name, arguments = split_notation(item)
    size, words = arguments.get("input_dim"), spec.input.vocabulary_size
    if name == "Embedding" and position == 0 and words and size and size < words:
        raise ConfigError(
            f"the Embedding has {size} rows, the data has {words} different word ids",
            key=("model", "layers", position),
            hint=f"input_dim: {words}",
        )


def _apply(item: object, features: keras.KerasTensor, position: int) -> keras.KerasTensor:
    """The output of one layer; its errors told with the layer's place and the shape that came in."""
    name, arguments = split_notation(item)
    if name in ("Input", "InputLayer"):
        raise ConfigError(
            "dlrun adds the input layer, from the data", key=("model", "layers", position), hint="remove this line"
        )
    try:
        features_out = make_layer(item)(features)
        if not hasattr(features_out, "shape"):
            raise TypeError("it gives several outputs; a stack passes on one")
        return features_out
    except Exception as error:  # boundary: Keras raises anything from TypeError to its own errors here
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ConfigError(
            f"layer {position + 1}, {name}({given}), cannot follow: {_first_sentence(error)}",
            key=("model", "layers", position),
            received=f"an input of shape {_shape(features)}",
            hint=_shape_hint(name, len(features.shape)),
        ) from error


def _shape(features: keras.KerasTensor) -> str:
    """`(batch, 28, 28)` for a Keras tensor."""
    return "(" + ", ".join(["batch", *("?" if n is None else str(n) for n in features.shape[1:])]) + ")"


def _first_sentence(error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[0].split(". ")[0].strip() if lines else type(error).__name__


def _shape_hint(name: str, rank: int) -> str | None:
    wanted = {"Conv1D": 3, "Conv2D": 4, "Conv3D": 5, "LSTM": 3, "GRU": 3, "SimpleRNN": 3, "Bidirectional": 3}
    wanted |= {"MaxPooling1D": 3, "MaxPooling2D": 4, "GlobalMaxPooling1D": 3, "GlobalAveragePooling2D": 4}
    if name not in wanted or wanted[name] == rank:
        return None
    if wanted[name] > rank:
        return f"{name} wants {wanted[name]} axes (the batch included); a Reshape before it can add one"
    return (
        f"{name} wants {wanted[name]} axes (the batch included); a Flatten or a pooling layer before it can remove some"
    )


def _check_ready_for_head(layers: list[object], features: keras.KerasTensor) -> None:
    if len(features.shape) != 2:
        raise ConfigError(
            f"the stack ends with shape {_shape(features)}, the last layer wants (batch, n)",
            key=("model", "layers", len(layers) - 1) if layers else ("model", "layers"),
            hint="end it with Flatten or a Global...Pooling layer, or set model.head: false",
        )
    name, arguments = split_notation(layers[-1]) if layers else ("", {})
    if name == "Dense" and arguments.get("activation") in ("softmax", "sigmoid"):
        raise ConfigError(
            f"the stack already ends with a {arguments['activation']} layer, and the task's own would follow",
            key=("model", "layers", len(layers) - 1),
            hint="remove that layer, or set model.head: false",
        )

"""Layers from a config put one behind the other, with what goes wrong told in the words of the config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from dlrun.errors import ConfigError, Key
from dlrun.models._objects import split_notation


@contextmanager
def told(item: Any, title: str, key: Key, inputs: Sequence[keras.KerasTensor]) -> Iterator[None]:
    """Whatever Keras raises inside becomes a ConfigError with the layer's arguments and the shapes that came in.

    `title` names the layer's place in the model, `key` that in the config.
    """
    name, arguments = split_notation(item)
    if name in ("Input", "InputLayer"):
        raise ConfigError("dlrun adds the input layer, from the data", key=key, hint="remove this line")
    try:
        yield
    except Exception as error:  # boundary: Keras raises anything from TypeError to its own errors here
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        many = "inputs of shape" if len(inputs) > 1 else "an input of shape"
        raise ConfigError(
            f"{title}, {name}({given}), cannot follow: {_first_sentence(error)}",
            key=key,
            received=f"{many} {', '.join(map(shape_text, inputs))}",
            hint=_shape_hint(name, len(inputs[0].shape)) if len(inputs) == 1 else None,
        ) from error


def one_tensor(output: Any) -> keras.KerasTensor:
    """What a layer gave, if it is a single tensor. Raises TypeError."""
    if not hasattr(output, "shape"):
        raise TypeError("it gives several outputs, and one is passed on")
    return output


def check_vocabulary(item: Any, words: int | None, key: Key) -> None:
    """Raise ConfigError when an Embedding on an input has fewer rows than there are word ids."""
    name, arguments = split_notation(item)
    size = arguments.get("input_dim")
    if name == "Embedding" and words and size and size < words:
        raise ConfigError(
            f"the Embedding has {size} rows, the data has {words} different word ids",
            key=key,
            hint=f"input_dim: {words}",
        )


def check_ready_for_head(title: str, last: Any, features: keras.KerasTensor, key: Key) -> None:
    """Raise ConfigError unless the task's last layer can follow on `features`; `last` is the layer that made them."""
    if len(features.shape) != 2:
        raise ConfigError(
            f"{title} ends with shape {shape_text(features)}, the last layer wants (batch, n)",
            key=key,
            hint="end it with Flatten or a Global...Pooling layer, or set model.head: false",
        )
    name, arguments = split_notation(last) if last else ("", {})
    if name == "Dense" and arguments.get("activation") in ("softmax", "sigmoid"):
        raise ConfigError(
            f"{title} already ends with a {arguments['activation']} layer, and the task's own would follow",
            key=key,
            hint="remove that layer, or set model.head: false",
        )


def shape_text(features: keras.KerasTensor) -> str:
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

"""Any stack of Keras layers, written in the config."""

from __future__ import annotations

import keras

import dlrun
from dlrun.errors import ConfigError, Key
from dlrun.models._heads import output
from dlrun.models._inputs import single_input
from dlrun.models._objects import make_layer, split_notation
from dlrun.models._steps import check_ready_for_head, check_vocabulary, one_tensor, told
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
        key: Key = ("model", "layers", position)
        if position == 0:
            check_vocabulary(item, spec.input.vocabulary_size, key)
        with told(item, f"layer {position + 1}", key, [features]):
            features = one_tensor(make_layer(item)(features))
    if head:
        last = layers[-1] if layers else None
        key = ("model", "layers", len(layers) - 1) if layers else ("model", "layers")
        check_ready_for_head("the stack", last, features, key)
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

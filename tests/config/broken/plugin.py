"""A model with one parameter of each kind, for the broken configs beside this file."""

from typing import Literal

import dlrun
from dlrun.spec import Activation, DataPath, Initializer, Regularizer, Transforms


@dlrun.model("net")
def net(
    spec,
    *,
    units: int,
    hidden: list[int] = (64, 64),
    activation: Activation = "relu",
    dropout: float = 0.0,
    bias: bool = True,
    merge: Literal["sum", "concat"] = "sum",
    regularizer: Regularizer = None,
    initializer: Initializer = "he_normal",
    columns: dict[str, Transforms] | None = None,
    vectors: DataPath | None = None,
):
    """A test model."""

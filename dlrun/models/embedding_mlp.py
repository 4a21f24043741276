"""Word embeddings with Dense layers (DLwP 6.1)."""

from __future__ import annotations

from typing import Literal

import keras

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._blocks import dense_stack, embed
from dlrun.models._heads import output
from dlrun.models._inputs import sequence_input
from dlrun.spec import Activation, Count, DataSpec, Fraction, WordVectors


@dlrun.model("embedding_mlp")
def embedding_mlp(
    spec: DataSpec,
    *,
    embedding: Count = 8,
    vectors: WordVectors | None = None,
    trainable_vectors: bool = False,
    pooling: Literal["flatten", "average", "max"] = "flatten",
    hidden: list[Count] = [],  # noqa: B006 - read, never changed
    activation: Activation = "relu",
    dropout: Fraction = 0.0,
) -> keras.Model:
    """An Embedding, then Dense layers on all its vectors.

    Inputs are word ids `(batch, length)`. The defaults are the book's first net with an Embedding (DLwP 6.1.2: 10,000
    words, length 20, 80,161 parameters).

    Args:
        spec: What the data looks like.
        embedding: Size of the vector of each word.
        vectors: A file of word vectors (GloVe as text, .gz too), which are the weights of the Embedding; their size
            counts then, and words without one get zeros.
        trainable_vectors: Whether training changes them.
        pooling: `flatten` keeps every position, `average` and `max` take one vector per text.
        hidden: Units of the Dense layers.
        activation: Of the Dense layers.
        dropout: Share of units dropped after each hidden layer while training, 0 to 1.

    Raises:
        ConfigError: The input holds no word ids.
    """
    inputs = sequence_input(spec, "embedding_mlp")
    if spec.input.vocabulary_size is None:
        raise ConfigError(
            "the model 'embedding_mlp' wants word ids, the data gives numbers",
            key=("model", "name"),
            hint="use mlp, or data.encoding: sequence",
        )
    pools = {
        "flatten": keras.layers.Flatten,
        "average": keras.layers.GlobalAveragePooling1D,
        "max": keras.layers.GlobalMaxPooling1D,
    }
    features = pools[pooling]()(embed(spec, inputs, embedding, vectors, trainable=trainable_vectors))
    features = dense_stack(features, hidden, activation=activation, dropout=dropout)
    return keras.Model(inputs, output(spec, features), name="embedding_mlp")

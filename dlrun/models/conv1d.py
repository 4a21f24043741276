"""One-dimensional convolutional networks for sequences (DLwP 6.4)."""

from __future__ import annotations

import keras

import dlrun
from dlrun.errors import ConfigError
from dlrun.models._blocks import dense_stack, embed
from dlrun.models._heads import output
from dlrun.models._inputs import sequence_input
from dlrun.spec import Activation, Count, DataSpec, Fraction, WordVectors


@dlrun.model("conv1d")
def conv1d(
    spec: DataSpec,
    *,
    filters: list[Count] = [32, 32],  # noqa: B006 - read, never changed
    kernel_size: Count = 7,
    pool_size: Count = 5,
    embedding: Count = 128,
    vectors: WordVectors | None = None,
    trainable_vectors: bool = False,
    activation: Activation = "relu",
    dropout: Fraction = 0.0,
    hidden: list[Count] = [],  # noqa: B006
) -> keras.Model:
    """Conv1D and MaxPooling1D in turn, then a global maximum.

    Inputs are word ids `(batch, length)`, which are embedded, or numbers `(batch, length, features)`. The defaults are
    the book's net for IMDB (DLwP 6.4.2: 10,000 words, length 500).

    Args:
        spec: What the data looks like.
        filters: Of each convolution.
        kernel_size: Time steps each convolution sees.
        pool_size: Time steps pooled between two convolutions.
        embedding: Size of the vector of each word; ignored for numbers.
        vectors: A file of word vectors (GloVe as text, .gz too), which are the weights of the Embedding; their size
            counts then, and words without one get zeros.
        trainable_vectors: Whether training changes them.
        activation: Of the convolutions and Dense layers.
        dropout: Share of values dropped before the last layer while training, 0 to 1.
        hidden: Units of Dense layers behind the global maximum.

    Raises:
        ConfigError: The input is no sequence, or too short for so many layers.
    """
    inputs = sequence_input(spec, "conv1d")
    features = embed(spec, inputs, embedding, vectors, trainable=trainable_vectors)
    for position, count in enumerate(filters):
        if position:
            features = keras.layers.MaxPooling1D(pool_size)(features)
        length = features.shape[1]
        if length is not None and length < kernel_size:
            raise ConfigError(
                f"after {position} convolutions the sequence has {length} time steps",
                key=("model", "filters"),
                expected=f"at least {kernel_size} for one more",
                hint="fewer filters, a smaller kernel_size or pool_size, or longer sequences",
            )
        features = keras.layers.Conv1D(count, kernel_size, activation=activation)(features)
    features = keras.layers.GlobalMaxPooling1D()(features)
    if dropout:
        features = keras.layers.Dropout(dropout)(features)
    return keras.Model(inputs, output(spec, dense_stack(features, hidden, activation=activation)), name="conv1d")

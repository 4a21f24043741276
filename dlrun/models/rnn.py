"""Recurrent networks (DLwP 6.2, 6.3)."""

from __future__ import annotations

from typing import Literal

import keras

import dlrun
from dlrun.models._blocks import dense_stack, embed
from dlrun.models._heads import output
from dlrun.models._inputs import sequence_input
from dlrun.spec import Count, DataSpec, Fraction, WordVectors

_LAYERS = {"simple": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@dlrun.model("rnn")
def rnn(
    spec: DataSpec,
    *,
    cell: Literal["simple", "lstm", "gru"] = "lstm",
    units: list[Count] = [32],  # noqa: B006 - read, never changed
    embedding: Count = 32,
    vectors: WordVectors | None = None,
    trainable_vectors: bool = False,
    bidirectional: bool = False,
    dropout: Fraction = 0.0,
    recurrent_dropout: Fraction = 0.0,
    hidden: list[Count] = [],  # noqa: B006
) -> keras.Model:
    """SimpleRNN, LSTM or GRU layers, stacked or bidirectional, on word ids or numbers.

    Inputs are word ids `(batch, length)`, which are embedded, or numbers `(batch, length, features)`. The defaults are
    the book's LSTM for IMDB (DLwP 6.2); a GRU with `units: [32]` on 14 features is its net for Jena (DLwP 6.3).

    Args:
        spec: What the data looks like.
        cell: Which layer.
        units: Of each layer; all but the last return their whole sequence.
        embedding: Size of the vector of each word; ignored for numbers.
        vectors: A file of word vectors (GloVe as text, .gz too), which are the weights of the Embedding; their size
            counts then, and words without one get zeros.
        trainable_vectors: Whether training changes them.
        bidirectional: Read each sequence in both directions.
        dropout: Share of the inputs of each layer dropped while training, the same at each time step, 0 to 1.
        recurrent_dropout: The same for the recurrent state.
        hidden: Units of Dense layers (relu) behind the last.

    Raises:
        ConfigError: The input is no sequence.
    """
    inputs = sequence_input(spec, "rnn")
    features = embed(spec, inputs, embedding, vectors, trainable=trainable_vectors)
    for position, count in enumerate(units):
        layer = _LAYERS[cell](
            count, return_sequences=position < len(units) - 1, dropout=dropout, recurrent_dropout=recurrent_dropout
        )
        features = (keras.layers.Bidirectional(layer) if bidirectional else layer)(features)
    return keras.Model(inputs, output(spec, dense_stack(features, hidden)), name="rnn")

"""`python -m bench.folds_together`: what training all folds of a k-fold in one compiled program would gain.

The book's Boston model (DLwP 3.6: 13-64-64-1, mse, RMSprop, batch 1) with its gradients written out, for one fold and
for several whose weights are stacked `(folds, rows, columns)`, on one core: the most that a vectorised step can do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

FEATURES, UNITS, STEPS = 13, 64, 303  # rows of 404 that three of four folds train on
RATE, RHO, EPSILON = 1e-3, 0.9, 1e-7  # Keras' RMSprop


def main(epochs: int = 60) -> None:
    """Print the CPU time of an epoch for 1, 2 and 4 folds in one program, twice in turn."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for folds in (1, 2, 4, 1, 2, 4):
        epoch = program(folds)
        epoch()  # compiles
        began = time.process_time()
        for _ in range(epochs):
            epoch()
        print(f"{folds} folds in one program: {(time.process_time() - began) / epochs * 1e3:.2f} ms of CPU an epoch")


def program(folds: int) -> Callable[[], None]:
    """An epoch of all folds on random rows, as one call."""
    random = np.random.default_rng(1)
    inputs = tf.constant(random.normal(size=(folds, STEPS, FEATURES)), "float32")
    targets = tf.constant(random.normal(size=(folds, STEPS)), "float32")
    shapes = [(FEATURES, UNITS), (1, UNITS), (UNITS, UNITS), (1, UNITS), (UNITS, 1), (1, 1)]
    weights = [tf.Variable(random.normal(0, 0.1, (folds, *shape)).astype("float32")) for shape in shapes]
    squares = [tf.Variable(tf.zeros_like(weight)) for weight in weights]

    @tf.function(jit_compile=True)
    def run(order: tf.Tensor) -> None:
        def step(i: tf.Tensor, *state: tf.Tensor) -> tuple[tf.Tensor, ...]:
            rows = tf.reshape(tf.gather(inputs, order[:, i], axis=1, batch_dims=1), (folds, 1, FEATURES))
            wanted = tf.reshape(tf.gather(targets, order[:, i], axis=1, batch_dims=1), (folds, 1, 1))
            old = state[len(shapes) :]
            slopes = gradients(state[: len(shapes)], rows, wanted)
            new = [RHO * was + (1 - RHO) * slope**2 for was, slope in zip(old, slopes, strict=True)]
            moved = [
                weight - RATE * slope / tf.sqrt(square + EPSILON)
                for weight, slope, square in zip(state, slopes, new, strict=False)
            ]
            return (i + 1, *moved, *new)

        start = (0, *(variable.value() for variable in (*weights, *squares)))
        _, *end = tf.while_loop(lambda i, *_: i < STEPS, step, start)
        for variable, value in zip((*weights, *squares), end, strict=True):
            variable.assign(value)

    return lambda: run(tf.constant(np.stack([random.permutation(STEPS) for _ in range(folds)]).astype("int32")))


def gradients(weights: tuple[tf.Tensor, ...], rows: tf.Tensor, wanted: tf.Tensor) -> list[tf.Tensor]:
    """The slopes of the squared error by each weight, by hand: no layer, no metric, nothing but the arithmetic."""
    w1, b1, w2, b2, w3, b3 = weights
    first = tf.nn.relu(rows @ w1 + b1)
    second = tf.nn.relu(first @ w2 + b2)
    out = 2 * (second @ w3 + b3 - wanted)
    back2 = (out @ tf.linalg.matrix_transpose(w3)) * tf.cast(second > 0, "float32")
    back1 = (back2 @ tf.linalg.matrix_transpose(w2)) * tf.cast(first > 0, "float32")
    outer = [tf.linalg.matrix_transpose(a) @ b for a, b in ((rows, back1), (first, back2), (second, out))]
    return [outer[0], back1, outer[1], back2, outer[2], out]


if __name__ == "__main__":
    main()

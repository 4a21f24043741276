"""Two nets that learn against each other, each by an optimizer of its own, as one `keras.Model`."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from dlrun.engine.gradients import weight_gradients
from dlrun.engine.variables import optimizers
from dlrun.errors import ConfigError

_LEAST = 1e-7  # as keras.config.epsilon: the least probability in a crossentropy
LOSSES = ("discriminator_loss", "adversarial_loss")
SHARES = ("discriminator_accuracy_real", "discriminator_accuracy_generated")
VARIANCES = ("sample_variance", "data_variance")


class Gan(keras.Model):
    """A generator and a discriminator `pair`, a model of one after the other, and the step that trains both.

    The gradients of each half of a step are taken by the weights of one net alone: in Keras 3 the book's way, a
    discriminator compiled and then frozen inside the pair, leaves it frozen in its own half, too.
    """

    def __init__(self, pair: keras.Model, *, label_noise: float, seed: int) -> None:
        """`label_noise`: up to so much is added to every label."""
        super().__init__(pair.inputs, pair.outputs, name="gan")
        self.generator, self.discriminator = pair.get_layer("generator"), pair.get_layer("discriminator")
        self._label_noise = label_noise
        self._draws = keras.random.SeedGenerator(seed)
        self._means = {name: keras.metrics.Mean(name=name) for name in (*LOSSES, *SHARES, *VARIANCES)}

    def compile(self, optimizer: Any, discriminator_optimizer: Any, **options: Any) -> None:
        """Set the optimizers of the generator, and so of the model, and of the discriminator."""
        super().compile(optimizer=optimizer, **options)
        self.discriminator_optimizer = discriminator_optimizer
        optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means over an epoch of all that is logged."""
        return list(self._means.values())

    def train_step(self, *arguments: Any) -> Any:
        """A step on a batch of real pictures; on JAX with the state before it, and then with that after it."""
        if keras.backend.backend() == "jax":
            return self._stateless_step(*arguments)
        return self._step(*arguments)

    def _step(self, data: Any) -> dict[str, Any]:
        """The book's order: the discriminator, then the generator against what it has become (listing 8-32)."""
        real = keras.utils.unpack_x_y_sample_weight(data)[0]
        self.train_discriminator(real)
        self.train_generator(ops.shape(real)[0])
        return self.get_metrics_result()  # type: ignore[no-any-return]

    def train_discriminator(self, real: Any) -> None:
        """Half a step: the discriminator alone learns to give 0 for `real` pictures and 1 for as many generated."""
        count = ops.shape(real)[0]
        generated = ops.cast(self.generator(self._latent(count), training=True), "float32")
        pictures = ops.concatenate([generated, ops.cast(real, "float32")], axis=0)
        labels = ops.concatenate([ops.ones((count, 1), "float32"), ops.zeros((count, 1), "float32")], axis=0)
        labels += self._label_noise * keras.random.uniform((2 * count, 1), dtype="float32", seed=self._draws)

        def loss() -> tuple[Any, Any]:
            judged = self.discriminator(pictures, training=True)
            return _crossentropy(labels, judged), judged

        weights = self.discriminator.trainable_variables
        gradients, value, judged = weight_gradients(loss, weights, self)
        self.discriminator_optimizer.apply(gradients, weights)
        self._note("discriminator_loss", value)
        self._note("discriminator_accuracy_generated", ops.mean(ops.cast(judged[:count] > 0.5, "float32")))
        self._note("discriminator_accuracy_real", ops.mean(ops.cast(judged[count:] < 0.5, "float32")))
        self._note("sample_variance", ops.mean(ops.var(generated, axis=0)))
        self._note("data_variance", ops.mean(ops.var(real, axis=0)))

    def train_generator(self, count: Any) -> None:
        """Half a step: the generator alone learns to make so many pictures that the discriminator takes for real."""
        latent = self._latent(count)

        def loss() -> tuple[Any, None]:
            judged = self.discriminator(self.generator(latent, training=True), training=True)
            return _crossentropy(0.0, judged), None

        weights = self.generator.trainable_variables
        gradients, value, _ = weight_gradients(loss, weights, self)
        self.optimizer.apply(gradients, weights)
        self._note("adversarial_loss", value)

    def _latent(self, count: Any) -> Any:
        return keras.random.normal((count, *self.generator.input_shape[1:]), seed=self._draws)

    def _note(self, name: str, value: Any) -> None:
        self._means[name].update_state(value)

    def _stateless_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """`_step` as JAX has it, with the variables of both optimizers. Raises ConfigError where one is
        missing, as in Keras' own steps.
        """
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            [variable for one in optimizers(self) for variable in one.variables],
            self.metrics_variables,
        )
        if len(state[2]) != len(groups[2]):
            raise ConfigError(
                "on JAX the routine `gan` needs whole epochs, since Keras' own steps know one optimizer",
                key=("runtime", "execution"),
                hint="runtime.backend: tensorflow",
            )
        known = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
        with keras.StatelessScope(state_mapping=known) as scope:
            logs = self._step(data)
        return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)


def _crossentropy(labels: Any, judged: Any) -> Any:
    """The mean binary crossentropy, of probabilities cut as Keras 2 cut them; labels may lie above 1."""
    judged = ops.clip(ops.cast(judged, "float32"), _LEAST, 1 - _LEAST)
    return -ops.mean(labels * ops.log(judged) + (1 - labels) * ops.log(1 - judged))

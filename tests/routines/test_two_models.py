"""The `routines` seam: two sub-models, two optimizers and a train_step of its own, as a GAN needs them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine import checkpointing
from dlrun.errors import Interrupted
from dlrun.events import EpochDone
from dlrun.run_dir import RunDir
from dlrun.train import train

PLUGIN = '''
import keras
import tensorflow as tf

import dlrun
from dlrun.engine.execution import train_model


class TwoModels(keras.Model):
    """A generator that imitates the inputs and a critic that tells them apart, each with its optimizer."""

    def __init__(self, width, size):
        super().__init__()
        self.size = size
        dense = keras.layers.Dense
        self.generator = keras.Sequential([keras.Input((4,)), dense(width, "relu"), dense(size)])
        self.critic = keras.Sequential([keras.Input((size,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
        self.noise = keras.random.SeedGenerator(7)
        self.generator_optimizer = keras.optimizers.Adam(0.01)
        self.critic_optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.critic_loss, self.generator_loss = keras.metrics.Mean("critic_loss"), keras.metrics.Mean("generator_loss")
        self.built = True

    def _step(self, optimizer, variables, loss_of):
        with tf.GradientTape() as tape:
            loss = loss_of()
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def train_step(self, data):
        real, _ = data
        fake = self.generator(keras.random.normal((tf.shape(real)[0], 4), seed=self.noise))
        bce = keras.losses.BinaryCrossentropy(from_logits=True)
        both, labels = tf.concat([real, fake], 0), tf.concat([tf.ones_like(real[:, :1]), tf.zeros_like(fake[:, :1])], 0)
        critic_variables = self.critic.trainable_variables
        loss = self._step(
            self.critic_optimizer, critic_variables, lambda: bce(labels, self.critic(both, training=True))
        )
        self.critic_loss.update_state(loss)
        noise = keras.random.normal((tf.shape(real)[0], 4), seed=self.noise)
        wanted = tf.ones_like(real[:, :1])
        self.generator_loss.update_state(
            self._step(
                self.generator_optimizer,
                self.generator.trainable_variables,
                lambda: bce(wanted, self.critic(self.generator(noise))),
            )
        )
        return {"critic_loss": self.critic_loss.result(), "generator_loss": self.generator_loss.result()}


@dlrun.routine("two_models")
def two_models(experiment, *, width: int = 8):
    """Trains two networks against each other."""
    model = TwoModels(width, experiment.data.spec.input.shape[0])
    model.compile(optimizer=None)
    saved = {"generator": model.generator, "critic": model.critic}
    return train_model(model, experiment, monitor=("critic_loss", "min"), saved_models=saved)
'''


@pytest.fixture
def config(tmp_path):
    (tmp_path / "two.py").write_text(PLUGIN)
    return config_from_mapping(
        {
            "name": "two",
            "plugins": [str(tmp_path / "two.py")],
            "data": "digits",
            "split": {"validation": 0},
            "routine": {"name": "two_models", "width": 6},
            "training": {"epochs": 4, "batch_size": 256, "tensorboard": False, "checkpoint_every_seconds": 0},
        }
    )


def test_both_networks_learn_and_are_saved_for_plain_keras(config, outputs):
    run = train(config, outputs=outputs)
    assert run.status() == "completed"
    assert set(run.history()[0]) == {"critic_loss", "generator_loss"}
    first, last = checkpointing.generations(run.checkpoint)[-1], checkpointing.generations(run.checkpoint)[0]
    before, after = (np.load(folder / "arrays.npz") for folder in (first, last))
    changed = [name for name in before if name.startswith("model/") and not np.array_equal(before[name], after[name])]
    assert len(changed) >= 6
    assert {name.split("/")[0] for name in after} == {"model", "optimizer0", "optimizer1"}
    generator = keras.saving.load_model(run.path / "best-generator.keras")
    assert generator(tf.zeros((2, 4))).shape == (2, 64)
    assert (run.path / "last-critic.keras").exists()


def test_it_resumes_exactly_with_both_optimizers_and_the_noise(config, outputs):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 2:
            raise Interrupted("stopped", resumable=True)

    whole = train(config, outputs=outputs)
    with pytest.raises(Interrupted):
        train(config, run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    train(load_config(cut.config_file), resume=cut)
    assert cut.history() == whole.history()

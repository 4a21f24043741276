"""A plugin with a model whose loss is infinite in one step, for tests that go back from there."""

PLUGIN = '''
import dlrun
import keras


@keras.saving.register_keras_serializable("divergence")
class BlowsUp(keras.layers.Layer):
    """Adds an infinite loss in step `at` if `gate`, which falls by the learning rate each step, is below -`bound`."""

    def __init__(self, at, bound, **options):
        super().__init__(**options)
        self.at, self.bound = at, bound

    def build(self, shape):
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.gate = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs, training=False):
        if training:
            self.steps.assign_add(1.0)
            broken = keras.ops.logical_and(keras.ops.equal(self.steps, self.at), self.gate < -self.bound)
            self.add_loss(keras.ops.sum(self.gate) + keras.ops.where(broken, float("inf"), 0.0))
        return inputs

    def get_config(self):
        return super().get_config() | {"at": self.at, "bound": self.bound}


@keras.saving.register_keras_serializable("divergence")
class OwnStep(keras.Model):
    """Logs the loss of the last batch, which is finite again after the step that was not."""

    def train_step(self, data, *more):
        logs = super().train_step(data, *more)
        return {"loss": keras.ops.where(keras.ops.equal(self.layers[1].steps, self.layers[1].at), float("nan"), 1.0)}


@dlrun.model("blowing_up")
def blowing_up(spec, *, at: int = 12, bound: float = 1.0, own_step: bool = False):
    """Its loss is not finite in one step."""
    inputs = keras.Input((64,))
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(8, "relu")(BlowsUp(at, bound)(inputs)))
    return (OwnStep if own_step else keras.Model)(inputs, keras.layers.Dense(10, "softmax")(hidden))
'''


def blowing_up(folder, mode, *, model=None, training=None, runtime=None, **keys):
    """A config on digits whose epochs have 8 steps, the last one of 2 rows. As it is, the loss is infinite in step 4 of
    epoch 2 at the rate 0.1, and not at 0.05.
    """
    from dlrun.config.loading import config_from_mapping

    (folder / "blowing_up.py").write_text(PLUGIN)
    few = {"epochs": 4, "batch_size": 64, "tensorboard": False, "checkpoint_every_seconds": 1000}
    defaults = {
        "name": "blowing_up",
        "plugins": [str(folder / "blowing_up.py")],
        "data": "digits",
        "split": {"test": 1247, "validation": 100},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "model": {"name": "blowing_up", **(model or {})},
        "training": {**few, **(training or {})},
        "runtime": {"execution": mode, "jit_compile": "auto", **(runtime or {})},
    }
    return config_from_mapping({**defaults, **keys})

import keras
import pytest
from two_modes import write_files

from dlrun.config.loading import load_config
from dlrun.config.schema import Runtime
from dlrun.engine.execution_rules import acts_on_batches, choose_execution, why_stepwise
from dlrun.errors import ConfigError, Interrupted
from dlrun.events import EpochDone, ModelReady
from dlrun.run_dir import RunDir
from dlrun.train import train

PATH = "w.keras"


class OnBatches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class OnTestBatches(keras.callbacks.Callback):
    def on_test_batch_begin(self, batch, logs=None):
        pass


class OnEpochs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


def compiled(kind=keras.Model, **options):
    inputs = keras.Input((3,))
    model = kind(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", **options)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize(
    ("make", "acts"),
    [
        (lambda: keras.callbacks.ModelCheckpoint(PATH), False),
        (lambda: keras.callbacks.ModelCheckpoint(PATH, save_freq=5), True),
        (lambda: keras.callbacks.TensorBoard(), False),
        (lambda: keras.callbacks.TensorBoard(update_freq="batch"), True),
        (lambda: keras.callbacks.TensorBoard(update_freq=10), True),
        (lambda: keras.callbacks.TensorBoard(profile_batch=2), True),
        (lambda: keras.callbacks.TensorBoard(write_steps_per_second=True), True),
        (lambda: keras.callbacks.TerminateOnNaN(), False),
        (lambda: keras.callbacks.EarlyStopping(), False),
        (lambda: keras.callbacks.ReduceLROnPlateau(), False),
        (lambda: keras.callbacks.CSVLogger("log.csv"), False),
        (lambda: keras.callbacks.SwapEMAWeights(), False),
        (lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), False),
        (OnBatches, True),
        (OnTestBatches, True),
        (OnEpochs, False),
    ],
)
def test_callbacks_that_act_on_batches_are_known(make, acts):
    assert acts_on_batches(make()) is acts


class OwnFit(keras.Model):
    def fit(self, *arguments, **options):
        return super().fit(*arguments, **options)


class OwnTrainFunction(keras.Model):
    def make_train_function(self, force=False):
        return super().make_train_function(force)


class TwoOptimizers(keras.Model):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.second_optimizer = keras.optimizers.SGD()


@pytest.mark.parametrize(
    ("make", "streams", "reason"),
    [
        (compiled, True, "the data is read from files step by step"),
        (lambda: compiled(run_eagerly=True), False, "the model runs eagerly"),
        (lambda: compiled(OwnFit), False, "the model has a `fit` of its own"),
        (lambda: compiled(OwnTrainFunction), False, "the model has a `make_train_function` of its own"),
        (lambda: compiled(TwoOptimizers), False, "an optimizer of the model is not built before the first step"),
        (compiled, False, ""),
    ],
)
def test_every_reason_for_steps_is_told(make, streams, reason):
    assert why_stepwise(make(), [OnEpochs()], streams=streams) == reason
    if not reason:
        assert why_stepwise(make(), [OnBatches()], streams=streams) == "the callback OnBatches acts on batches"


def chosen(**runtime):
    about = {"streams": False, "steps": 10, "batch_size": 8, "on_gpu": False}
    return choose_execution(Runtime(**runtime), compiled(), [], **about)


def test_a_stated_mode_is_taken():
    assert chosen().mode == chosen(execution="whole_epoch").mode == "whole_epoch"
    assert chosen(execution="stepwise").mode == "stepwise"
    assert chosen(jit_compile=True).jit_compile is True
    assert chosen(jit_compile="auto").jit_compile is False  # ten steps do not pay for compiling


def streaming(folder):
    pets = {"name": "image_folder", "path": str(folder / "pets"), "height": 8, "width": 8, "memory_limit_mib": 0}
    return {"data": pets, "model": {"name": "layers", "layers": ["Flatten"]}}


STEPWISE = {
    "checkpoints in epochs": (
        {"callbacks": [{"name": "ModelCheckpoint", "save_freq": 2}]},
        "the callback ModelCheckpoint acts on batches",
    ),
    "scalars of batches": (
        {"callbacks": [{"name": "TensorBoard", "update_freq": "batch"}]},
        "the callback TensorBoard acts on batches",
    ),
    "images in a file": ({}, "the data is read from files step by step"),
}


@pytest.mark.parametrize("case", STEPWISE)
def test_the_mode_is_settled_in_the_run_and_kept_on_resume_and_the_other_is_refused(digits, outputs, tmp_path, case):
    sections, reason = STEPWISE[case]
    if case == "images in a file":
        sections = streaming(write_files(tmp_path))
    training = {"epochs": 2, "batch_size": 400, "tensorboard": False}
    with pytest.raises(ConfigError, match=f"whole-epoch execution is not possible: {reason}"):
        train(digits(**sections, training=training, runtime={"execution": "whole_epoch"}), outputs=outputs)

    modes = []

    def listen(event):
        if isinstance(event, ModelReady):
            modes.append(event.execution)
        if isinstance(event, EpochDone) and event.epoch == 1 and len(modes) == 1:
            raise Interrupted("stopped", resumable=True)

    with pytest.raises(Interrupted):
        train(digits(**sections, training=training), run_dir=outputs / "cut", on_event=listen)
    cut = RunDir(outputs / "cut")
    assert load_config(cut.config_file).runtime.execution == "stepwise"
    train(load_config(cut.config_file), resume=cut, on_event=listen)
    assert modes == ["stepwise", "stepwise"]


def test_a_default_run_states_whole_epoch_and_its_choice_of_xla(digits_run):
    runtime = load_config(digits_run.config_file).runtime
    assert (runtime.execution, runtime.jit_compile) == ("whole_epoch", False)

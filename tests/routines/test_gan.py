import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.config.schema import Component
from dlrun.engine import checkpointing
from dlrun.engine.compiling import make_optimizer
from dlrun.errors import ConfigError, Interrupted, UnknownNameError
from dlrun.events import EpochDone, StepDone
from dlrun.generate import generate
from dlrun.models.dcgan import dcgan
from dlrun.routines import _gan_model, _gan_watch
from dlrun.routines._gan_model import Gan
from dlrun.routines._gan_watch import GanWatch, failures
from dlrun.routines._picture_grid import draw_grid
from dlrun.run_dir import RunDir
from dlrun.spec import DataSpec, InputSpec
from dlrun.train import train

SMALL = {"latent_size": 4, "generator_filters": 6, "discriminator_filters": 6, "strided_layers": 1}
crossentropy = _gan_model._crossentropy
SPEC = DataSpec({"image": InputSpec((8, 8, 1))})


def config(routine=None, training=None, **keys):
    """A small GAN on scikit-learn's digits."""
    plain = {
        "name": "gan",
        "data": {"name": "digits", "image": True, "centred": True},
        "split": {"validation": 0, "test": 1000},
        "model": {"name": "dcgan", **SMALL},
        "routine": {"name": "gan", "samples": 4, **(routine or {})},
        "optimizer": {"name": "rmsprop", "learning_rate": 2e-3, "clipvalue": 1.0},
        "training": {
            **{"epochs": 3, "steps_per_epoch": 4, "batch_size": 8, "tensorboard": False, "checkpoint_every_seconds": 0},
            **(training or {}),
        },
    }
    return config_from_mapping(plain | keys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(config(), outputs=tmp_path_factory.mktemp("gan") / "outputs")


@pytest.fixture
def gan():
    """A model with seeded weights, dropout and noise."""
    keras.utils.set_random_seed(3)
    model = Gan(dcgan(SPEC, **SMALL), label_noise=0.05, seed=5)
    one, other = (make_optimizer(Component(name="rmsprop", learning_rate=3e-3)) for _ in range(2))
    model.compile(one, other)
    return model


def values(net):
    return [np.array(one) for one in net.trainable_variables]


def same(before, net):
    return [np.array_equal(one, other) for one, other in zip(before, values(net), strict=True)]


def test_each_half_of_a_step_moves_one_net_alone(gan):
    real = np.random.default_rng(1).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
    generator, discriminator = values(gan.generator), values(gan.discriminator)
    gan.train_discriminator(real)
    assert all(same(generator, gan.generator))
    assert not any(same(discriminator, gan.discriminator))
    discriminator = values(gan.discriminator)
    gan.train_generator(8)
    assert not any(same(generator, gan.generator))
    assert all(same(discriminator, gan.discriminator))


def test_noise_is_added_to_all_labels(gan, monkeypatch):
    seen = []
    monkeypatch.setattr(_gan_model, "_crossentropy", lambda *both: seen.append(both[0]) or crossentropy(*both))
    gan.train_discriminator(np.zeros((50, 8, 8, 1), "float32"))
    labels = np.array(seen[0])[:, 0]
    assert labels[:50].min() > 1
    assert labels[:50].max() < 1.05
    assert labels[50:].min() > 0
    assert labels[50:].max() < 0.05
    assert len(set(labels.tolist())) > 90


def test_the_discriminator_learns_to_tell_apart_and_the_generator_to_be_taken_for_real(gan):
    random = np.random.default_rng(1)
    real = np.clip(random.normal(0.5, 0.2, (32, 8, 8, 1)), -1, 1).astype("float32")
    for _ in range(50):
        gan.train_discriminator(real)
    generated = gan.generator(random.standard_normal((32, 4)).astype("float32"))
    judged = [np.array(gan.discriminator(pictures)).mean() for pictures in (real, generated)]
    assert judged[0] < 0.4 < 0.6 < judged[1]
    for _ in range(40):
        gan.train_generator(32)
    generated = gan.generator(random.standard_normal((32, 4)).astype("float32"))
    assert np.array(gan.discriminator(generated)).mean() < 0.3


def test_a_run_has_a_column_for_each_loss_share_and_variance(trained):
    rows = trained.history()
    assert len(rows) == 3
    assert set(rows[0]) == {
        *("discriminator_loss", "adversarial_loss", "sample_variance", "data_variance", "learning_rate"),
        *("discriminator_accuracy_real", "discriminator_accuracy_generated"),
    }
    assert rows[0]["data_variance"] == pytest.approx(0.27, abs=0.05)  # four times that of pixels from 0 to 1


def test_both_nets_are_models_of_plain_keras(trained):
    generator, discriminator = (
        keras.saving.load_model(trained.path / f"last-{name}.keras") for name in ("generator", "discriminator")
    )
    pictures = generator(np.zeros((2, 4), "float32"))
    assert pictures.shape == (2, 8, 8, 1)
    assert discriminator(pictures).shape == (2, 1)


@pytest.mark.parametrize("precision", ["float64", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_it_learns_in_other_precisions(outputs, precision):
    run = train(config(runtime={"precision": precision}, training={"epochs": 1}), outputs=outputs)
    assert 0.5 < run.history()[0]["discriminator_loss"] < 1


def test_pictures_of_the_same_numbers_are_listed_by_epoch(trained):
    listed = [(one["file"], one["epoch"]) for one in trained.record()["artefacts"]]
    assert listed == [(f"artefacts/samples-{epoch:04d}.png", epoch) for epoch in (1, 2, 3)]
    with Image.open(trained.path / listed[0][0]) as picture:
        assert picture.size == (2 * 66 + 2, 2 * 66 + 2)


@pytest.mark.parametrize(
    ("execution", "moment"),
    [
        ("whole_epoch", (2, 3)),
        pytest.param("whole_epoch", (2, None), marks=pytest.mark.slow),
        pytest.param("stepwise", (2, 3), marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("every_step_is_heard_of")
def test_a_run_goes_on_exactly(outputs, trained, execution, moment):
    keys = {"runtime": {"execution": execution}}
    whole = trained if execution == "whole_epoch" else train(config(**keys), run_dir=outputs / "whole")
    epoch, step = moment

    def stop(event):
        wanted = isinstance(event, EpochDone) if step is None else isinstance(event, StepDone)
        if wanted and event.epoch == epoch and (step is None or event.step == step - 1):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(config(**keys), run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    for late in cut.artefacts.glob("samples-000[23].png"):
        late.write_bytes(b"of the run that was stopped")
    train(load_config(cut.config_file), resume=cut)
    assert cut.history_file.read_bytes() == whole.history_file.read_bytes()
    ends = [checkpointing.read(run.checkpoint).arrays for run in (cut, whole)]
    assert {name.split("/")[0] for name in ends[0]} == {"model", "optimizer0", "optimizer1"}
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name], err_msg=name)
    pictures = [(run.artefacts / "samples-0003.png").read_bytes() for run in (cut, whole)]
    assert pictures[0] == pictures[1]
    assert cut.record()["artefacts"] == whole.record()["artefacts"]


def test_generate_replays_with_the_same_seed(trained, outputs):
    saved = load_config(trained.config_file)
    made = [
        generate(trained, saved, {"samples": 5}, seed=seed, output=outputs / str(place))[1].files[0].read_bytes()
        for place, seed in enumerate([1, 1, 2])
    ]
    assert made[0] == made[1] != made[2]


def test_generate_refuses_what_is_for_texts(trained):
    with pytest.raises(UnknownNameError, match=r"gan. takes no --prompt"):
        generate(trained, load_config(trained.config_file), {"prompt": "frog"})


@pytest.fixture(scope="module")
def as_printed(tmp_path_factory):
    """A run on pictures from 0 to 1, with rows that would validate."""
    keys = {"data": {"name": "digits", "image": True}, "split": {"validation": 0.5, "test": 1000}}
    return train(config(**keys, training={"epochs": 1}), run_dir=tmp_path_factory.mktemp("gan") / "printed")


def test_rows_that_would_validate_are_left_out_with_a_note(as_printed):
    assert "nothing is validated in a GAN, so 398 rows are left out" in as_printed.log_file.read_text()
    assert not any(name.startswith("val_") for name in as_printed.history()[0])


def test_a_range_that_the_generator_does_not_give_is_told(as_printed, trained):
    codes = [[one["code"] for one in run.record().get("warnings", [])] for run in (as_printed, trained)]
    assert "range" in codes[0]
    assert "range" not in codes[1]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"model": {"name": "layers", "layers": ["Flatten"], "head": False}},
            r"holds no generator and no discriminator",
        ),
        ({"model": {"name": "dcgan", "strided_layers": 3}}, r"after 1 strided layers the picture is 2x2"),
        ({"data": "digits"}, r"sides are even numbers[\s\S]*digits has data.image"),
        ({"monitor": "val_loss"}, r"val_loss is not a metric of this run"),
        (
            {"routine": {"discriminator_optimizer": {"RMSprob": {}}}},
            r"no optimizer named 'RMSprob'[\s\S]*did you mean rmsprop",
        ),
        ({"routine": {"discriminator_optimizer": {"rmsprop": {"lr": 1}}}}, r"lr is not an argument"),
        ({"runtime": {"precision": "mixed_float16"}}, r"two nets are not scaled, which float16 needs"),
        ({"loss": "mse"}, r"`gan` takes no loss"),
        ({"training": {"class_weight": "balanced"}}, r"`gan` takes no class_weight"),
        ({"routine": {"label_noise": 2}}, r"label_noise[\s\S]*from 0 to below 1"),
    ],
)
def test_a_mistake_is_told_with_its_place(outputs, keys, message):
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        train(config(**keys), outputs=outputs)


def row(discriminator=0.6, adversarial=0.8, samples=0.1, data=0.1):
    return {
        "discriminator_loss": discriminator,
        "adversarial_loss": adversarial,
        "sample_variance": samples,
        "data_variance": data,
    }


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([row()] * 3, []),
        ([row(0.01, 3), row(0.01, 4), row(0.0, 5)], ["discriminator"]),
        ([row(0.01, 5), row(0.01, 4), row(0.0, 3)], []),
        ([row(0.3, 3), row(0.01, 4), row(0.0, 5)], []),
        ([row(samples=0.005)] * 3, ["collapse"]),
        ([row(samples=0.05), row(samples=0.005), row(samples=0.005)], []),
    ],
)
def test_a_net_that_has_lost_is_noticed_after_three_epochs(rows, codes):
    found = list(failures(rows, 7))
    assert [one.code for one in found] == codes
    assert all("since epoch 5" in one.message for one in found)


@pytest.mark.parametrize(
    ("shares", "told_in"),
    [
        ([0.01, 0.01, 0.01, 0.5, 0.9, 0.9], []),  # it only begins so
        ([0.5, 0.05, 0.05, 0.05, 0.05, 0.05], [4]),
        ([0.01, 0.01, 0.01, 0.01, 0.01, 0.01], [6]),
        ([0.01, 0.5, 0.01, 0.01, 0.01, 0.5], [5]),
    ],
)
def test_a_collapse_is_told_once_and_one_from_the_beginning_at_the_end(monkeypatch, shares, told_in):
    told = []
    monkeypatch.setattr(_gan_watch, "tell", lambda _experiment, found: told.extend(found))
    watch = GanWatch(None)
    watch.set_model(SimpleNamespace(stop_training=False))
    watch.set_params({"epochs": len(shares)})
    epochs = []
    for epoch, share in enumerate(shares):
        watch.on_epoch_end(epoch, row(samples=0.1 * share))
        epochs += [epoch + 1] * (len(told) - len(epochs))
    assert epochs == told_in


def test_a_grid_keeps_pixels_and_cuts_what_lies_outside(tmp_path):
    pictures = np.zeros((3, 32, 32, 1))
    pictures[1], pictures[2] = 2.0, -1.0
    with Image.open(draw_grid(pictures, tmp_path / "grid.png")) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (2 * 66 + 2, 2 * 66 + 2, 3)
    assert (pixels[10, 10], pixels[10, 80], pixels[80, 10]) == pytest.approx((0, 255, 0))


def test_the_nets_of_the_book_have_its_shapes_and_counts():
    pair = dcgan(DataSpec({"image": InputSpec((32, 32, 3))}))
    generator, discriminator = pair.get_layer("generator"), pair.get_layer("discriminator")
    assert (generator.count_params(), discriminator.count_params()) == (6_264_579, 790_913)
    assert generator.output_shape == (None, 32, 32, 3)
    maps = [layer.output.shape[1:] for layer in discriminator.layers if isinstance(layer, keras.layers.Conv2D)]
    assert maps == [(side, side, 128) for side in (30, 14, 6, 2)]


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_small_frogs_do_not_collapse_and_both_nets_learn(outputs):
    path = shipped_configs()["book/dcgan_frogs_jpeg"]
    options = [f"{key}={value}" for key, value in load_config(path).small.items()]
    options += ["training.epochs=5", "training.tensorboard=false"]
    run = train(load_config(path, options), outputs=outputs)
    rows = run.history()
    assert run.record().get("warnings", []) == []
    assert rows[0]["sample_variance"] < 0.05 * rows[0]["data_variance"]  # a grey ground
    assert rows[-1]["sample_variance"] > 0.4 * rows[-1]["data_variance"]
    right = rows[0]["discriminator_accuracy_real"] + rows[0]["discriminator_accuracy_generated"]
    assert right > 2 * 0.7  # the discriminator has learned
    assert rows[-1]["adversarial_loss"] < 0.6 * rows[1]["adversarial_loss"]  # and then the generator

import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.engine.resolve import load_data
from dlrun.errors import ConfigError, Interrupted, TrainingError
from dlrun.events import EpochDone
from dlrun.routines.image_optimization import Wanted, gram, losses, total_variation
from dlrun.train import train

NET = Path(__file__).parent / "tiny_net.py"
RANDOM = np.random.default_rng(4)
ADAM = {"routine": {"method": "keras"}, "optimizer": {"name": "adam", "learning_rate": 3.0}}


def transfer(routine=None, epochs=3, **keys):
    """A small style transfer between scikit-learn's pictures."""
    layers = {"content_layer": "third", "style_layers": ["first", "second"], "evaluations": 5}
    plain = {
        "name": "style",
        "plugins": [str(NET)],
        "data": {"name": "pictures", "path": ["china.jpg", "flower.jpg"], "height": 48},
        "model": "tiny_net",
        "routine": {"name": "image_optimization"} | layers | (routine or {}),
        "training": {"epochs": epochs, "tensorboard": False, "checkpoint_every_seconds": 0},
    }
    return config_from_mapping(plain | keys)


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    return train(transfer(), outputs=tmp_path_factory.mktemp("style") / "outputs")


def test_the_loss_falls_and_is_the_sum_of_its_terms(styled):
    history = styled.history()
    assert [row["loss"] for row in history] == sorted((row["loss"] for row in history), reverse=True)
    assert all(row["loss"] == pytest.approx(row["content"] + row["style"] + row["total_variation"]) for row in history)
    assert styled.metrics()["best_epoch"] == 3
    assert styled.metrics()["baselines"] == {}


def test_each_iteration_leaves_a_picture_of_the_size_of_the_content(styled):
    artefacts = styled.record()["artefacts"]
    assert [one["epoch"] for one in artefacts] == [1, 2, 3]
    assert [Image.open(styled.path / one["file"]).size for one in artefacts] == [(71, 48)] * 3


def test_only_the_content_leaves_the_content_as_it_is(tmp_path):
    run = train(transfer({"style_weight": 0.0, "total_variation_weight": 0.0}, epochs=1), outputs=tmp_path)
    assert run.history()[0]["loss"] == 0
    given = load_data(load_config(run.config_file)).arrays["image"][0].astype("int16")
    written = np.asarray(Image.open(run.path / run.record()["artefacts"][0]["file"]), "int16")
    assert (given == written).all()


def maps_of(height, width, channels):
    return RANDOM.normal(size=(1, height, width, channels)).astype("float32")


def test_gram_matrices_are_sums_of_products_over_all_places():
    maps = maps_of(5, 7, 3)
    expected = np.einsum("bhwi,bhwj->ij", maps, maps)
    np.testing.assert_allclose(np.asarray(gram(keras.ops.convert_to_tensor(maps))), expected, rtol=1e-5)


def test_the_total_variation_is_that_of_listing_8_19():
    picture = RANDOM.uniform(0, 255, (1, 6, 8, 3)).astype("float32")
    down = (picture[:, :5, :7] - picture[:, 1:, :7]) ** 2
    right = (picture[:, :5, :7] - picture[:, :5, 1:]) ** 2
    expected = ((down + right).astype("float64") ** 1.25).sum()
    assert float(total_variation(keras.ops.convert_to_tensor(picture))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("normalization", ["book", "sizes"])
def test_the_terms_are_those_of_the_book_or_by_the_sizes_of_layers(normalization):
    picture = RANDOM.uniform(0, 255, (1, 20, 30, 3)).astype("float32")
    content, early, late = maps_of(5, 7, 16), maps_of(20, 30, 4), maps_of(10, 15, 8)
    targets = {"early": RANDOM.normal(size=(4, 4)), "late": RANDOM.normal(size=(8, 8))}
    aim = maps_of(5, 7, 16)
    weights = {"content": 0.025, "style": 1.0, "total_variation": 1e-4}
    tensors = {"content": content, "early": early, "late": late}
    found = losses(
        keras.ops.convert_to_tensor(picture),
        {name: keras.ops.convert_to_tensor(maps) for name, maps in tensors.items()},
        Wanted("content", aim, {name: one.astype("float32") for name, one in targets.items()}, weights, normalization),
    )

    def style(maps, target, divisor):
        return ((np.einsum("bhwi,bhwj->ij", maps, maps) - target) ** 2).sum() / divisor

    variation = float(total_variation(keras.ops.convert_to_tensor(picture)))
    if normalization == "book":
        expected = [
            0.025 * ((content - aim) ** 2).sum(),
            sum(style(maps, targets[name], 4 * 9 * 600**2) / 2 for name, maps in (("early", early), ("late", late))),
            1e-4 * variation,
        ]
    else:
        own = (style(early, targets["early"], 4 * 16 * 600**2), style(late, targets["late"], 4 * 64 * 150**2))
        expected = [0.025 * ((content - aim) ** 2).mean(), sum(own) / 2, 1e-4 * variation / 600]
    np.testing.assert_allclose([float(one) for one in found], expected, rtol=1e-4)


def test_a_keras_optimizer_lowers_the_loss_as_well(tmp_path):
    losses_found = [row["loss"] for row in train(transfer(**ADAM), outputs=tmp_path).history()]
    assert losses_found == sorted(losses_found, reverse=True)


@pytest.mark.parametrize("keys", [{}, ADAM], ids=["lbfgs", "adam"])
def test_a_transfer_that_was_stopped_goes_on_to_the_same_pixels(styled, tmp_path, keys):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    whole = train(transfer(**keys), run_dir=tmp_path / "whole") if keys else styled
    with pytest.raises(Interrupted, match="stopped after 2 iterations"):
        train(transfer(**keys), run_dir=tmp_path / "stopped", on_event=stop)
    resumed = type(whole)(tmp_path / "stopped")
    train(load_config(resumed.config_file), resume=resumed)
    assert resumed.history_file.read_bytes() == whole.history_file.read_bytes()
    assert resumed.record()["artefacts"] == whole.record()["artefacts"]
    for file in (one["file"] for one in whole.record()["artefacts"]):
        assert (resumed.path / file).read_bytes() == (whole.path / file).read_bytes()


def test_a_stop_inside_an_iteration_costs_that_iteration_only(styled, tmp_path, monkeypatch):
    from dlrun.routines import image_optimization as module

    calls = []
    find = module.fmin_l_bfgs_b

    def stop_in_the_second(function, *arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return find(function, *arguments, **options)

    monkeypatch.setattr(module, "fmin_l_bfgs_b", stop_in_the_second)
    with pytest.raises(Interrupted, match=r"stopped after 1 iteration\n"):
        train(transfer(), run_dir=tmp_path / "run")
    run = type(styled)(tmp_path / "run")
    train(load_config(run.config_file), resume=run)
    assert run.history_file.read_bytes() == styled.history_file.read_bytes()


def test_a_completed_transfer_takes_more_iterations(styled, tmp_path):
    short = train(transfer(epochs=1), run_dir=tmp_path / "run")
    train(load_config(short.config_file, ["training.epochs=3"]), resume=short)
    assert short.history_file.read_bytes() == styled.history_file.read_bytes()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"routine": {"content_layer": "thrid"}}, r"(?s)no layer 'thrid'.*did you mean third"),
        ({"routine": {"style_layers": ["first", "fourth"]}}, "no layer 'fourth'"),
        ({"routine": {"style_layers": []}}, "no layers for the style"),
        ({"data": {"name": "pictures", "path": "china.jpg"}}, "(?s)wants other pictures.*expected  2: the content"),
        ({"training": {"stages": [{"epochs": 10}]}}, "has no stages"),
        ({"loss": "mse"}, "takes no loss: it trains no weights"),
    ],
)
def test_a_mistake_is_told(tmp_path, keys, message):
    with pytest.raises(ConfigError, match=message):
        train(transfer(**keys), outputs=tmp_path)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path):
    config = transfer({"method": "keras"}, optimizer={"name": "sgd", "learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"is (nan|inf) in iteration 1"):
        train(config, outputs=tmp_path)


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_a_real_base_transfers_a_style(tmp_path):
    """Its weights are ImageNet's: the style comes near, and the content goes no further away than it must."""
    config = load_config(shipped_configs()["book/style_transfer_squeezenet"], ["training.epochs=4", "data.height=120"])
    history = train(config, outputs=tmp_path).history()
    losses_found = [row["loss"] for row in history]
    assert losses_found == sorted(losses_found, reverse=True)
    assert history[-1]["style"] < history[0]["style"] / 2

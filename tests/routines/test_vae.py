"""Autoencoders: the book's nets and loss, what a run leaves behind, what can be generated from it."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.config.scale import small_overrides
from dlrun.config.schema import Component
from dlrun.data._arrays import ArrayEncoder
from dlrun.engine.resolve import build_model
from dlrun.errors import ConfigError, DlrunError, Interrupted, UnknownNameError
from dlrun.evaluate import evaluate
from dlrun.events import EpochDone
from dlrun.explain import explain
from dlrun.generate import generate
from dlrun.models.autoencoder import Autoencoder, Sampling
from dlrun.routines.vae import latent_grid
from dlrun.run_dir import RunDir
from dlrun.spec import DataSpec, InputSpec
from dlrun.train import train

SMALL = {
    "name": "small",
    "data": {"name": "digits", "image": True},
    "split": {"training": 400, "validation": 100, "test": 100},
    "model": {"name": "autoencoder", "filters": [4, 8], "hidden": 16, "decoder_filters": 4},
    "routine": {"name": "vae", "grid": 3},
    "training": {"epochs": 2, "batch_size": 16, "tensorboard": False, "checkpoint_every_seconds": 0},
    "optimizer": {"name": "rmsprop", "learning_rate": 3e-3},
}


ONE_NET = {"name": "layers", "layers": [{"Conv2D": {"filters": 1, "kernel_size": 3}}], "head": False}


def _slow(options):
    return pytest.param(options, marks=pytest.mark.slow)


def _config(**keys):
    return config_from_mapping({**SMALL, **keys})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run. Tests must not change it."""
    return train(_config(), outputs=tmp_path_factory.mktemp("vae") / "outputs")


def _built(**options):
    return build_model(Component(name="autoencoder", **options), DataSpec({"image": InputSpec((28, 28, 1))}))


def test_the_nets_have_as_many_parameters_as_those_of_the_book():
    model = _built()
    assert (model.encoder.count_params(), model.decoder.count_params()) == (494_244, 56_385)
    assert model.count_params() == 550_629
    assert model.encoder.layers[-4].output.shape[1:] == (14 * 14 * 64,)


def test_the_loss_is_that_of_listing_8_26():
    model = _built(filters=[2, 2], hidden=4, decoder_filters=2)
    random = np.random.default_rng(1)
    x, shown = (random.uniform(0.1, 0.9, (3, 28, 28, 1)).astype("float32") for _ in range(2))
    mean, log_var = (random.normal(size=(3, 2)).astype("float32") for _ in range(2))
    found = model.compute_loss(x=x, y_pred={"reconstruction": shown, "mean": mean, "log_var": log_var})
    crossentropy = -np.mean(x * np.log(shown) + (1 - x) * np.log(1 - shown))
    kl = np.mean(-5e-4 * np.mean(1 + log_var - mean**2 - np.exp(log_var), axis=-1))
    assert float(found) == pytest.approx(crossentropy + kl, rel=1e-5)
    assert float(model.kl.result()) == pytest.approx(kl, rel=1e-5)
    assert float(model.reconstruction.result()) == pytest.approx(crossentropy, rel=1e-5)


@pytest.mark.parametrize(("sampling", "spread"), [("corrected", np.exp(0.75)), ("as_printed", np.exp(1.5))])
def test_the_noise_of_codes_is_the_corrected_or_the_printed_one(sampling, spread):
    layer = _built(filters=[2, 2], hidden=4, sampling=sampling).sampling
    mean, log_var = (np.full((20_000, 2), value, "float32") for value in (3.0, 1.5))
    codes = keras.ops.convert_to_numpy(layer(mean, log_var))
    assert codes.mean() == pytest.approx(3, abs=0.1)
    assert codes.std() == pytest.approx(spread, rel=0.02)


def test_both_terms_of_the_loss_are_columns_and_add_up_to_it(run):
    names = {"loss", "kl", "reconstruction"}
    assert set(run.history()[0]) == {*names, *(f"val_{name}" for name in names), "learning_rate"}
    last = run.history()[-1]
    assert last["loss"] == pytest.approx(last["kl"] + last["reconstruction"], rel=1e-5)
    assert last["val_loss"] < run.history()[0]["val_loss"]
    assert load_config(run.config_file).runtime.execution == "whole_epoch"


def test_encoder_and_decoder_are_files_that_keras_alone_reads(run):
    for name in ("encoder", "decoder"):
        with zipfile.ZipFile(run.model_file("best", name)) as archive:
            assert "dlrun" not in archive.read("config.json").decode()
    encoder, decoder = (keras.saving.load_model(run.model_file("last", name)) for name in ("encoder", "decoder"))
    mean, log_var = encoder(np.zeros((1, 8, 8, 1), "float32"))
    assert mean.shape == log_var.shape == (1, 2)
    assert decoder(mean).shape == (1, 8, 8, 1)


def test_the_whole_model_survives_its_file(run):
    model = keras.saving.load_model(run.model_file("best"), compile=False)
    assert isinstance(model, Autoencoder)
    assert (model.kl_weight, model.sampling.scale) == (5e-4, 0.5)
    x = np.linspace(0, 1, 128, dtype="float32").reshape(2, 8, 8, 1)
    encoder = keras.saving.load_model(run.model_file("best", "encoder"))
    np.testing.assert_array_equal(model.encoder(x)[0], encoder(x)[0])


def test_pictures_of_the_latent_space_are_listed_by_epoch(run):
    listed = run.record()["artefacts"]
    assert [one["epoch"] for one in listed] == [1, 1, 2, 2, None, None]
    assert listed[2]["file"] == "artefacts/latent_grid-epoch-002.png"
    assert all((run.path / one["file"]).stat().st_size > 500 for one in listed if "grid" in one["file"])


def test_the_run_tells_what_its_codes_are_worth_beside_baselines(run):
    metrics = run.metrics()
    assert set(metrics["measures"]) == {"active_axes", "reconstruction_mse", "probe_accuracy"}
    assert metrics["measures"]["probe_accuracy"] > metrics["baselines"]["probe_accuracy"] + 0.1
    assert 0.03 < metrics["baselines"]["reconstruction_mse"] < 0.06  # of a PCA with two components


def test_evaluate_measures_another_part_by_the_same_figures(run, monkeypatch):
    monkeypatch.setattr("dlrun.evaluate._record", lambda evaluation, run: evaluation)
    config = load_config(run.config_file)
    score = evaluate(config, run.model_file("best"), run=run, split="validation").score
    assert score.values["probe_accuracy"] == run.metrics()["measures"]["probe_accuracy"]
    assert score.values["reconstruction"] == pytest.approx(run.metrics()["best"]["val_reconstruction"], rel=0.05)
    with pytest.raises(ConfigError, match=r"name best.keras or last.keras"):
        evaluate(config, run.model_file("best", "encoder"))


def test_a_stopped_and_resumed_run_equals_one_that_was_not_stopped(run, outputs):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == 1:
            raise Interrupted("stopped", resumable=True)

    with pytest.raises(Interrupted):
        train(_config(), run_dir=outputs / "cut", on_event=stop)
    cut = RunDir(outputs / "cut")
    train(load_config(cut.config_file), resume=cut)
    assert cut.history_file.read_bytes() == run.history_file.read_bytes()
    assert cut.metrics()["measures"] == run.metrics()["measures"]
    assert cut.record()["artefacts"] == run.record()["artefacts"]
    for one in run.record()["artefacts"]:
        if "codes" not in one["file"]:  # drawn by matplotlib, which tests leave out
            assert (cut.path / one["file"]).read_bytes() == (run.path / one["file"]).read_bytes()
    models = [keras.saving.load_model(found.model_file("last"), compile=False) for found in (cut, run)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", [{}, _slow({"interpolate": "3,8"}), _slow({"concept": "0,6"})])
def test_the_same_seed_generates_the_same_pixels(run, tmp_path, options):
    config = load_config(run.config_file)
    made = []
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        folder, _ = generate(run, config, {"samples": 3, **options}, seed=seed, output=tmp_path / name)
        (picture,) = folder.glob("*.png")
        made.append(picture.read_bytes())
    assert made[0] == made[1] != made[2]


def test_a_concept_is_the_difference_of_the_means_of_two_classes(run, tmp_path):
    folder, made = generate(run, load_config(run.config_file), {"concept": "0,6"}, output=tmp_path / "made")
    back = generate(run, load_config(run.config_file), {"concept": "6,0"}, output=tmp_path / "back")[1]
    np.testing.assert_allclose(made.facts["direction"], np.negative(back.facts["direction"]), rtol=1e-5)
    record = json.loads((folder / "generate.json").read_text())
    shares = record["taken_for_the_second"]
    assert shares["1.5"] > shares["0.0"]
    assert record["classes"] == ["0", "6"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"concept": "3"}, ConfigError, "--concept takes two classes with a comma"),
        ({"interpolate": ""}, ConfigError, "--interpolate takes two classes"),
        ({"interpolate": "3,3"}, ConfigError, "--interpolate takes two classes"),
        ({"concept": "3,x"}, UnknownNameError, "no class 'x'(.|\n)*0, 1, 2"),
        ({"concept": "3,8", "interpolate": "3,8"}, ConfigError, "take one of them"),
        ({"prompt": "once"}, UnknownNameError, "takes no --prompt"),
    ],
)
def test_an_option_that_cannot_be_is_one_clear_error(run, options, error, message):
    with pytest.raises(error, match=message):
        generate(run, load_config(run.config_file), options)
    assert not list(run.artefacts.glob("generated/*"))


@pytest.mark.slow
def test_a_plain_autoencoder_has_no_noise_and_its_grid_lies_where_its_codes_are(outputs):
    plain = train(_config(model={**SMALL["model"], "sampling": "none"}), outputs=outputs)
    assert set(plain.history()[0]) == {"loss", "reconstruction", "val_loss", "val_reconstruction", "learning_rate"}
    codes = np.random.default_rng(1).normal(50, 3, (500, 2))
    model = keras.saving.load_model(plain.model_file("best"), compile=False)
    grid = latent_grid(model, codes, 4)
    assert grid.shape == (16, 2)
    np.testing.assert_allclose([grid.min(0), grid.max(0)], np.quantile(codes, [0.05, 0.95], axis=0), rtol=1e-5)
    generate(plain, load_config(plain.config_file), {"samples": 4})


def test_the_grid_of_the_book_has_the_quantiles_of_the_normal_distribution():
    grid = latent_grid(_built(filters=[2, 2], hidden=4), np.zeros((1, 2)), 15)
    assert grid.shape == (225, 2)
    np.testing.assert_allclose(grid[0], [-1.6448536, -1.6448536], rtol=1e-5)
    assert grid[1][1] == grid[0][1]
    assert grid[112].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_a_code_that_has_collapsed_is_told(outputs):
    run = train(_config(routine={"name": "vae", "kl_weight": 100.0}), outputs=outputs)
    warnings = {one["code"]: one["message"] for one in run.record()["warnings"]}
    assert "0 of 2 axes of the code vary" in warnings["collapse"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": ONE_NET}, "trains an encoder and a decoder(.|\n)*expected  autoencoder"),
        ({"data": "digits"}, r"wants pictures(.|\n)*even sides, not \(64,\)"),
        ({"routine": {"name": "vae", "kl_weight": -1.0}}, "drives codes apart(.|\n)*expected  >= 0"),
        ({"monitor": "val_accuracy"}, "val_accuracy is not a metric of this run(.|\n)*val_reconstruction"),
    ],
)
def test_what_the_routine_cannot_train_is_one_clear_error(outputs, keys, message):
    with pytest.raises(DlrunError, match=message):
        train(_config(**keys), outputs=outputs)


def test_rows_cannot_be_weighed_where_no_target_is_learned(outputs):
    weighed = {**SMALL["training"], "sample_weight": "digit"}
    with pytest.raises(ConfigError, match="`vae` learns no targets, and weights count in their loss"):
        train(_config(training=weighed), outputs=outputs)


@pytest.mark.slow
def test_half_precision_computes_the_loss_in_full(run, outputs):
    half = train(_config(runtime={"precision": "mixed_bfloat16"}), outputs=outputs)
    assert half.history()[-1]["loss"] == pytest.approx(run.history()[-1]["loss"], rel=0.1)


def test_values_below_0_are_refused(outputs, monkeypatch):
    batch = ArrayEncoder.batch
    monkeypatch.setattr(ArrayEncoder, "batch", lambda self, arrays, rows: batch(self, arrays, rows) - 1)
    with pytest.raises(ConfigError, match=r"values from 0 to 1(.|\n)*values from -1 to 0"):
        train(_config(), outputs=outputs)


def test_the_seed_of_the_noise_survives_a_config():
    layer = Sampling(1.0, seed=7)
    again = Sampling.from_config(layer.get_config())
    assert (again.scale, again.generator.get_config()["seed"]) == (1.0, 7)


@pytest.mark.slow
def test_explain_shows_layers_and_says_what_an_autoencoder_does_not_predict(run, outputs):
    copy = RunDir(outputs / "copy")
    shutil.copytree(run.path, copy.path)
    explanation = explain(copy, load_config(copy.config_file))
    assert {one.what for one in explanation.written} == {"activations", "filters"}
    assert explanation.left_out["saliency"] == "the model does not predict digit"


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_a_code_of_two_numbers_tells_the_digits_of_mnist_apart_and_beats_a_pca(outputs):
    config = load_config(shipped_configs()["book/vae_mnist"])
    small = load_config(shipped_configs()["book/vae_mnist"], list(small_overrides(config)))
    metrics = train(small, outputs=outputs).metrics()
    assert metrics["measures"]["probe_accuracy"] > 0.6
    assert metrics["measures"]["reconstruction_mse"] < 0.9 * metrics["baselines"]["reconstruction_mse"]

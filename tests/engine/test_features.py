"""Features of a frozen base, computed once: the same training as with the base in each step."""

import keras
import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.data_places import find_data
from dlrun.errors import ConfigError, DataError
from dlrun.evaluate import evaluate
from dlrun.models._squeezenet import squeezenet
from dlrun.rehearse import rehearse
from dlrun.studies.retrain import plan
from dlrun.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small pictures of two classes in an .npz file, and weights of a base."""
    folder = tmp_path_factory.mktemp("features")
    random = np.random.default_rng(1)
    y = random.integers(0, 2, 80)
    x = random.integers(0, 100, (80, 32, 32, 3)) + (y * 100)[:, None, None, None]
    np.savez(folder / "pictures.npz", x=x.astype("uint8"), y=y.astype("int32"))
    keras.utils.set_random_seed(1)
    squeezenet((32, 32, 3), "squeezenet").save_weights(folder / "base.weights.h5")
    return folder


@pytest.fixture
def small(folder):
    """Makes a config of a pretrained base on these pictures; keyword arguments go to the model."""

    def make(training=None, callbacks=(), **model):
        base = {"name": "pretrained", "base": "squeezenet", "weights": str(folder / "base.weights.h5"), "dropout": 0.2}
        return config_from_mapping(
            {
                "name": "small",
                "data": {"name": "npz", "path": str(folder / "pictures.npz")},
                "model": {**base, **model},
                "training": {"batch_size": 16, "tensorboard": False, **(training or {"epochs": 2})},
                "callbacks": list(callbacks),
                "runtime": {"jit_compile": False},
            }
        )

    return make


def test_cached_features_train_the_same_model(small, outputs):
    notes = []

    def listen(event):
        notes.append(str(getattr(event, "message", "")))

    runs = [train(small(features=kind), outputs=outputs, on_event=listen) for kind in ("cached", "inline", "auto")]
    told = [note for note in notes if note.startswith("the base is frozen")]
    assert ["computed" in note for note in told] == [True, False]
    assert "found in the cache" in told[1]
    cached, inline, auto = (run.history() for run in runs)
    assert cached == auto
    for one, other in zip(cached, inline, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    models = [keras.saving.load_model(run.model_file("best")) for run in runs]
    assert models[0].input_shape == (None, 32, 32, 3)
    assert models[0].optimizer.iterations == models[1].optimizer.iterations > 0
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    config = small()
    scores = [evaluate(config, run.model_file("best")).score.values for run in runs[:2]]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)


def test_where_the_weights_are_from_is_recorded(small, outputs):
    run = train(small(), outputs=outputs)
    found = run.record()["base_weights"]
    assert found["file"] == "base.weights.h5"
    assert len(found["sha256"]) == 64
    again = train(small(weights={"from_run": str(run.path)}), outputs=outputs)
    assert again.record()["base_weights"]["from_run"] == run.id
    models = [keras.saving.load_model(one.model_file("best")) for one in (run, again)]
    arrays = [model.get_layer("squeezenet").get_weights() for model in models]
    for one, other in zip(*arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("model", "training", "message"),
    [
        ({"trainable": True}, {}, "the base learns"),
        ({}, {"epochs": 2, "stages": [{"epochs": 1}, {"epochs": 1, "unfreeze": "all"}]}, "the base learns"),
    ],
)
def test_features_of_a_base_that_learns_are_not_cached(small, outputs, model, training, message):
    with pytest.raises(ConfigError, match=message):
        train(small(training, features="cached", **model), outputs=outputs)


def test_a_callback_that_keeps_the_model_keeps_all_of_it(small, outputs, tmp_path):
    kept = str(tmp_path / "kept.keras")
    train(small({"epochs": 1}, [{"name": "ModelCheckpoint", "filepath": kept}]), outputs=outputs)
    assert keras.saving.load_model(kept).input_shape == (None, 32, 32, 3)


def test_a_callback_that_looks_inside_sees_the_base(small, outputs):
    run = train(small({"epochs": 1}, ["activation_logger"]), outputs=outputs)
    assert "squeezenet" in np.load(run.artefacts / "activations_at_epoch_1.npz")
    with pytest.raises(ConfigError, match="activation_logger may look at the whole model"):
        train(small({"epochs": 1}, ["activation_logger"], features="cached"), outputs=outputs)


def test_features_of_a_base_with_dropout_are_not_cached(small, outputs, monkeypatch):
    def dropping(shape, name):
        net = squeezenet(shape, name)
        return keras.Model(net.inputs, keras.layers.Dropout(0.2)(net.output), name=name)

    monkeypatch.setattr("dlrun.models.pretrained.squeezenet", dropping)
    with pytest.raises(ConfigError, match="the base drops some of what it computes"):
        train(small({"epochs": 1}, features="cached"), outputs=outputs)


def test_a_cache_that_cannot_be_written_is_done_without(small, outputs, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path / "file"))
    assert train(small({"epochs": 1}, features="cached"), outputs=outputs).status() == "completed"


def test_a_run_is_named_by_its_folder_so_that_its_name_means_no_other(small, outputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = small(weights={"from_run": "small"})
    assert config.model.parameters["weights"] == {"from_run": str(tmp_path / "small")}
    assert find_data(config).missing == [str(tmp_path / "small")]
    with pytest.raises(DataError, match=r"there is no run at .*/small"):
        train(config, outputs=outputs)


def test_the_published_weights_are_asked_for_by_name(small, outputs, monkeypatch):
    monkeypatch.delenv("DLRUN_DATA", raising=False)
    monkeypatch.setattr("dlrun.data._sources.unreachable", lambda url: "no connection")
    with pytest.raises(DataError, match="squeezenet are not there: squeezenet_weights"):
        train(small(weights="imagenet"), outputs=outputs)


def test_a_file_with_other_content_than_the_published_is_refused(small, outputs, monkeypatch, tmp_path, folder):
    name = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (tmp_path / name).write_bytes((folder / "base.weights.h5").read_bytes())
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="is not the published file of squeezenet"):
        train(small(weights="imagenet"), outputs=outputs)


def test_weights_that_are_nothing_are_refused_before_anything_is_read(small):
    with pytest.raises(ConfigError, match="names no weights"):
        small(weights={"run": "x"})
    with pytest.raises(ConfigError, match="a random one"):
        small(weights=None)


def test_stages_report_what_learns(small, outputs):
    stages = [{"epochs": 1}, {"epochs": 1, "unfreeze": "fire9_squeeze1x1", "learning_rate": 1e-4}]
    run = train(small({"stages": stages}), outputs=outputs)
    first, second = run.record()["stages"]
    assert first["trainable_parameters"] == 513
    assert second["trainable_parameters"] == 513 + (512 * 64 + 64) + (64 * 256 + 256) + (9 * 64 * 256 + 256)
    assert second["learning_rate"] == pytest.approx(1e-4)
    assert [row["learning_rate"] for row in run.history()] == pytest.approx([0.001, 1e-4])


def test_a_stage_that_names_no_layer_says_which_there_are(small, outputs):
    with pytest.raises(ConfigError, match="no layer 'fire99'"):
        train(small({"stages": [{"epochs": 2, "unfreeze": "fire99"}]}), outputs=outputs)


def test_epochs_are_those_of_the_stages(small):
    with pytest.raises(ConfigError, match=r"training.epochs is 5, and the stages have 2 epochs"):
        small({"epochs": 5, "stages": [{"epochs": 2}]})


def test_a_retrained_run_repeats_the_stages_up_to_its_best_epoch(small, outputs):
    stages = [{"epochs": 1}, {"epochs": 3, "unfreeze": "fire9_squeeze1x1", "learning_rate": 1e-4}]
    config = small({"stages": stages})
    final, _ = plan(train(config, outputs=outputs), config, epochs=3)
    assert [(stage.epochs, stage.unfreeze) for stage in final.training.stages] == [(1, None), (2, "fire9_squeeze1x1")]
    assert final.training.epochs == 3


def test_a_dry_run_goes_through_every_stage(small):
    with pytest.raises(ConfigError, match="no layer 'fire99'"):
        rehearse(small({"stages": [{"epochs": 50}, {"epochs": 50, "unfreeze": "fire99"}]}))

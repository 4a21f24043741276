import os
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_net import tiny_net

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.errors import ConfigError, Interrupted, TrainingError
from dlrun.events import EpochDone
from dlrun.report import write_report
from dlrun.routines.feature_ascent import _climb, lost_detail, octave_shapes, resize
from dlrun.train import train

NET = Path(__file__).parent / "tiny_net.py"


def dream(routine=None, **keys):
    """A small dream of scikit-learn's flower."""
    steps = {"name": "feature_ascent", "layers": {"second": 1.0, "third": 0.5}, "iterations": 4, "octaves": 2}
    plain = {
        "name": "dream",
        "plugins": [str(NET)],
        "data": {"name": "pictures", "path": "flower.jpg", "height": 60},
        "model": "tiny_net",
        "routine": steps | {"max_loss": None} | (routine or {}),
        "training": {"tensorboard": False, "checkpoint_every_seconds": 0},
    }
    return config_from_mapping(plain | keys)


def pixels(run, name):
    return np.asarray(Image.open(run.artefacts / "dream" / name), "int16")


@pytest.fixture(scope="module")
def dreamt(tmp_path_factory):
    return train(dream(), outputs=tmp_path_factory.mktemp("dream") / "outputs")


def test_the_loss_climbs_and_is_the_sum_of_its_layers(dreamt):
    history = dreamt.history()
    assert len(history) == 8
    assert all(row["loss"] == pytest.approx(row["second"] + row["third"]) for row in history)
    for octave in (history[:4], history[4:]):
        losses = [row["loss"] for row in octave]
        assert losses == sorted(losses)
        assert losses[-1] > 1.05 * losses[0]


def test_each_octave_leaves_a_picture_that_run_json_lists(dreamt):
    files = ["octave-1-63x42.png", "octave-2-89x60.png"]
    assert dreamt.record()["artefacts"] == [
        {"file": f"artefacts/dream/{file}", "what": "dream", "epoch": epoch}
        for file, epoch in zip(files, (4, 8), strict=True)
    ]
    assert pixels(dreamt, files[1]).shape == (60, 89, 3)


def test_the_direction_is_the_slope_with_a_mean_size_of_one():
    model = tiny_net(None)
    climb = _climb(model, {"second": 1.0, "third": 0.5}, 2, "book")
    picture = np.random.default_rng(2).random((1, 40, 40, 3)).astype("float32")
    _, direction, size = map(np.asarray, climb(keras.ops.convert_to_tensor(picture)))
    assert np.abs(direction).mean() == pytest.approx(1.0, abs=1e-4)
    pixel = (0, 20, 21, 1)
    change = np.zeros_like(picture)
    change[pixel] = 1e-2
    up, down = (np.asarray(climb(keras.ops.convert_to_tensor(picture + sign * change))[0]).sum() for sign in (1, -1))
    assert (up - down) / 2e-2 == pytest.approx(direction[pixel] * size, rel=0.02)


def test_the_book_divides_by_the_size_with_the_border(tmp_path):
    """30 x 45 maps of stride 2, 2 pixels of border on each side: 26 x 41 places are added up."""
    one = {"octaves": 1, "iterations": 1, "layers": {"second": 1.0}}
    book, cropped = (
        train(dream(one | {"normalization": kind}), outputs=tmp_path).history()[0]["loss"]
        for kind in ("book", "cropped")
    )
    assert book / cropped == pytest.approx(26 * 41 / (30 * 45), rel=1e-5)


def test_sums_of_squares_are_of_full_precision(tmp_path):
    """Of 60,000 half-precision numbers they would be far off."""
    one = {"octaves": 1, "iterations": 1, "layers": {"first": 1.0}}
    half = train(dream(one, runtime={"precision": "mixed_float16"}), outputs=tmp_path).history()[0]["loss"]
    full = train(dream(one), outputs=tmp_path).history()[0]["loss"]
    assert half == pytest.approx(full, rel=0.01)


def test_octaves_are_those_of_listing_8_12():
    assert octave_shapes((350, 400), 3, 1.4) == [(178, 204), (250, 285), (350, 400)]


def test_what_shrinking_lost_comes_back():
    original = np.random.default_rng(1).random((1, 40, 50, 3)).astype("float32")
    shapes = [(20, 25), (40, 50)]
    assert not lost_detail(original, shapes, 0).any()
    blurred = resize(resize(original, shapes[0]), shapes[1])
    assert np.abs(blurred - original).max() > 0.1
    np.testing.assert_allclose(blurred + lost_detail(original, shapes, 1), original, atol=1e-6)


def test_an_octave_ends_when_the_loss_is_above_max_loss(dreamt, tmp_path):
    limit = dreamt.history()[2]["loss"] * 0.999
    run = train(dream({"max_loss": limit}), outputs=tmp_path)
    assert [row["loss"] for row in run.history()[:2]] == [row["loss"] for row in dreamt.history()[:2]]
    assert all(row["loss"] <= limit for row in run.history())
    assert "octave 1 of 2 ends after 2 iterations" in run.log_file.read_text()


@pytest.mark.parametrize("stopped_after", [1, 4])
def test_a_dream_that_was_stopped_goes_on_to_the_same_pixels(dreamt, tmp_path, stopped_after):
    def stop(event):
        if isinstance(event, EpochDone) and event.epoch == stopped_after:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match=f"stopped after {stopped_after} iteration"):
        train(dream(), run_dir=tmp_path / "run", on_event=stop)
    run = type(dreamt)(tmp_path / "run")
    train(load_config(run.config_file), resume=run)
    assert run.history_file.read_bytes() == dreamt.history_file.read_bytes()
    assert run.record()["artefacts"] == dreamt.record()["artefacts"]
    for file in (one["file"] for one in dreamt.record()["artefacts"]):
        assert (run.path / file).read_bytes() == (dreamt.path / file).read_bytes()


def test_a_dream_has_a_report(dreamt, tmp_path):
    page = write_report([str(dreamt.path)], tmp_path, file=tmp_path / "page.html").read_text()
    assert "<h3>dream</h3>" in page
    assert all(f"<figcaption>epoch {epoch}</figcaption>" in page for epoch in (4, 8))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"routine": {"layers": {"secnd": 1.0}}}, r"(?s)no layer 'secnd'.*did you mean second"),
        ({"routine": {"layers": {}}}, "no layers are named"),
        ({"routine": {"octaves": 9}}, r"the smallest octave is \d+ x \d+ pixels"),
        ({"routine": {"octave_scale": 1.0}}, "octaves do not grow"),
        ({"routine": {"border": 20}}, "no larger than their border"),
        ({"data": "digits"}, "changes pictures themselves"),
        ({"data": {"name": "pictures", "path": ["flower.jpg", "china.jpg"]}}, "(?s)wants other pictures.*expected  1"),
        ({"callbacks": ["EarlyStopping"]}, "takes no callbacks: it trains no weights"),
    ],
)
def test_a_mistake_is_told(tmp_path, keys, message):
    with pytest.raises(ConfigError) as caught:
        train(dream(**keys), outputs=tmp_path)
    caught.match(message)


def test_layers_that_do_not_answer_are_told(tmp_path):
    with pytest.raises(TrainingError, match="there is no slope to climb"):
        train(dream(model={"name": "tiny_net", "scale": 0.0}), outputs=tmp_path)


def test_a_loss_above_max_loss_from_the_start_is_told(tmp_path):
    with pytest.raises(TrainingError, match=r"from the start, above max_loss"):
        train(dream({"max_loss": 1e-9}), outputs=tmp_path)


def test_stated_epochs_have_no_say_in_a_dream(dreamt, tmp_path):
    run = train(load_config(dreamt.config_file, ["routine.iterations=1"]), outputs=tmp_path)
    assert len(run.history()) == 2
    assert "training.epochs has no say here: 2 steps" in run.log_file.read_text()


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_a_real_base_dreams(tmp_path):
    """Its weights are ImageNet's: the loss climbs in each octave, and the last one ends by max_loss."""
    run = train(load_config(shipped_configs()["book/deepdream_mobilenet_v2"]), outputs=tmp_path)
    losses = [row["loss"] for row in run.history()]
    for octave in (losses[:20], losses[20:40], losses[40:]):
        assert octave == sorted(octave)
        assert octave[-1] > 2 * octave[0]
    assert 9 < losses[-1] <= 10

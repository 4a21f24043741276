import json
import shutil

import keras
import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.engine.gradients import gradient
from dlrun.errors import ConfigError
from dlrun.explain import Options, explain
from dlrun.explain.attack import log_odds


def attacked(run, folder, **options):
    """What an attack finds on a copy of a run."""
    copy = type(run)(shutil.copytree(run.path, folder / "run"))
    return explain(copy, load_config(copy.config_file), [], Options(what=["attack"], **options))


def test_accuracy_falls_with_the_size_of_the_change_and_not_by_random_signs(digits_run, tmp_path):
    found = attacked(digits_run, tmp_path, sizes=(0.2, 0.02, 0.1))
    facts = json.loads(found.written[0].file.read_text())
    assert facts["rows"] == 288
    assert facts["sizes"] == [0.02, 0.1, 0.2]
    assert facts["unchanged"] == pytest.approx(digits_run.metrics()["best"]["val_accuracy"], abs=1e-4)
    one_step, iterated, random = (facts["accuracy"][name] for name in ("one step", "iterated", "random"))
    assert one_step == sorted(one_step, reverse=True)
    assert one_step[-1] < 0.2
    assert iterated[-1] <= one_step[-1]
    assert random[-1] > 0.7 * facts["unchanged"]
    assert [one.file.name for one in found.written] == ["attack.json", "accuracy.png", "pictures.png"]


def test_a_nested_model_of_two_classes_is_misled(patches, tmp_path):
    facts = attacked(patches["nested"], tmp_path, sizes=(0.5,), split="training").written[0].facts
    assert facts["accuracy"]["one step"][0] < facts["unchanged"] - 0.2


def test_the_same_seed_gives_the_same_attack(digits_run, tmp_path):
    first, second = (attacked(digits_run, tmp_path / name, sizes=(0.1,)).written[0].facts for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("logits", [True, False])
def test_the_slope_has_the_signs_of_the_crossentropys(logits):
    random = np.random.default_rng(7)
    given, own = random.normal(size=(6, 4)).astype("float32"), np.eye(4, dtype="float32")[random.integers(0, 4, 6)]

    def outputs(at):
        return at if logits else keras.ops.softmax(at)

    def crossentropy(at):
        return keras.ops.sum(keras.losses.categorical_crossentropy(own, keras.ops.softmax(at))), None

    tensor = keras.ops.convert_to_tensor(given)
    found, _ = gradient(lambda at: (log_odds(outputs(at), own, logits=logits), None), tensor)
    expected, _ = gradient(crossentropy, tensor)
    assert (np.sign(found) == -np.sign(expected)).all()


def test_a_sure_model_still_has_a_slope():
    given = keras.ops.convert_to_tensor(np.array([[80.0, 0.0, -5.0]], "float32"))
    own = np.array([[1.0, 0.0, 0.0]], "float32")
    found, _ = gradient(lambda at: (log_odds(at, own, logits=True), None), given)
    assert np.asarray(found)[0, 0] == pytest.approx(1.0)


def test_an_attack_is_not_made_unless_it_is_asked_for(digits_run, tmp_path):
    copy = type(digits_run)(shutil.copytree(digits_run.path, tmp_path / "run"))
    found = explain(copy, load_config(copy.config_file), [], Options(samples=1))
    assert "attack" not in {one.what for one in found.written} | set(found.left_out)


def test_an_attack_is_for_pictures(table_run, tmp_path):
    with pytest.raises(ConfigError, match="attack does not fit this run"):
        attacked(table_run, tmp_path)

import numpy as np
import pytest
from known_data import PATCH, patched_pictures

from dlrun.config.loading import load_config
from dlrun.engine.model_files import load_model
from dlrun.errors import ConfigError, UnknownNameError
from dlrun.explain import Options, explain


def facts(run, **options):
    found = explain(run, load_config(run.config_file), [], Options(what=["heatmaps"], samples=40, **options))
    return [one.facts for one in found.written]


def distance_to_patch(fact):
    """How many pixels the hottest place lies outside of the patch, in the direction of the larger distance."""
    top_left = patched_pictures()[2][int(fact["sample"].split()[1]) - 1]
    beyond = np.array(fact["hottest"]) - top_left
    return int(np.maximum(-beyond, beyond - PATCH + 1).max())


@pytest.mark.parametrize("name", ["plain", "nested"])
@pytest.mark.parametrize("target", ["logit", pytest.param("probability", marks=pytest.mark.slow)])
def test_the_hottest_place_lies_on_the_patch(patches, name, target):
    found = [one for one in facts(patches[name], target=target) if one["truth"] == "patch"]
    assert len(found) > 10
    outside = [distance_to_patch(one) for one in found]
    assert np.mean(np.array(outside) <= 2) >= 0.9, outside  # a cell of the map is two to three pixels wide


def test_the_last_convolution_of_a_nested_base_is_taken_and_others_may_be_named(patches):
    assert {one["layer"] for one in facts(patches["nested"])} == {"base/shapes"}
    assert {one["layer"] for one in facts(patches["nested"], layers=["edges"])} == {"base/edges"}


def test_a_class_that_is_not_there_has_no_place_in_a_picture_full_of_the_other(patches):
    named = facts(patches["nested"], class_name="plain")
    assert {one["class"] for one in named} == {"plain"}
    seen = [one for one in named if one["truth"] == "patch" and one["hottest"] is not None]
    assert np.mean([distance_to_patch(one) > 0 for one in seen] or [1]) >= 0.9


def test_nothing_of_the_model_is_changed(patches):
    run = patches["nested"]
    before = run.model_file("best").read_bytes()
    facts(run)
    assert run.model_file("best").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["shaps"]}, r"no layer 'shaps'(.|\n)*did you mean shapes"),
        ({"class_name": "pach"}, r"no class 'pach'(.|\n)*did you mean patch"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(patches, options, message):
    with pytest.raises(UnknownNameError, match=message):
        facts(patches["nested"], **options)


def test_a_layer_without_pictures_is_refused(patches):
    with pytest.raises(ConfigError, match=r"gives \(1,\) for each picture"):
        facts(patches["nested"], layers=["dense"])


def test_gradients_do_not_change_weights_in_memory(patches):
    from dlrun.explain._scores import Scorer
    from dlrun.explain.heatmaps import heat_maps
    from dlrun.spec import Task

    model = load_model(patches["plain"].model_file("best"))
    before = [np.array(value) for value in model.get_weights()]
    scorer = Scorer(model, "y", Task("binary", ("plain", "patch")), None, "logit")
    pictures = patched_pictures()[0][:4, :, :, None].astype("float32") / 255
    maps = heat_maps(model, model.get_layer("conv2d_1"), pictures, scorer, np.ones(4, int))
    assert maps.shape == (4, 9, 9)
    assert all((one == other).all() for one, other in zip(before, model.get_weights(), strict=True))
    np.testing.assert_array_equal(model.predict(pictures, verbose=0), load_and_predict(patches["plain"], pictures))


def load_and_predict(run, pictures):
    return load_model(run.model_file("best")).predict(pictures, verbose=0)

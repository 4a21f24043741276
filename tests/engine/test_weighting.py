import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.engine.resolve import Experiment, load_data
from dlrun.engine.weighting import class_weights, sample_weights
from dlrun.errors import ConfigError, DataError
from dlrun.events import Note
from dlrun.train import train


@pytest.fixture
def weighted(tmp_path):
    """A config on a table of 60 rows with a column `w` of 0, 1, 2, 0, ..."""
    rows = [f"{n / 10},{n % 3},{'yes' if n % 4 else 'no'}" for n in range(60)]
    (tmp_path / "table.csv").write_text("\n".join(["x,w,y", *rows]))

    def make(**training):
        data = {"name": "csv", "path": str(tmp_path / "table.csv"), "target": "y", "drop": ["w"]}
        model = {"name": "mlp", "hidden": [4]}
        training = {"epochs": 2, "tensorboard": False, **training}
        runtime = {"jit_compile": False}
        return config_from_mapping({"data": data, "model": model, "training": training, "runtime": runtime})

    return make


def experiment_for(config, events=()):
    return Experiment(config, None, load_data(config), list(events).append)


def test_a_column_weighs_the_rows(weighted):
    np.testing.assert_array_equal(sample_weights(experiment_for(weighted(sample_weight="w")))[:4], [0, 1, 2, 0])


def test_weights_of_rows_and_classes_are_multiplied(weighted):
    found = sample_weights(experiment_for(weighted(sample_weight="w", class_weight={"no": 10})))
    np.testing.assert_array_equal(found[:9], [0, 1, 2, 0, 10, 2, 0, 1, 20])


def test_nothing_is_weighed_unless_asked(weighted):
    assert sample_weights(experiment_for(weighted())) is None


def test_rows_of_weight_nought_teach_nothing(weighted, tmp_path):
    history = train(weighted(sample_weight="w"), outputs=tmp_path / "runs").history()
    assert history[0]["loss"] != train(weighted(), outputs=tmp_path / "runs").history()[0]["loss"]


def test_balanced_weights_are_those_of_scikit_learn(weighted):
    found = class_weights(experiment_for(weighted(class_weight="balanced")))
    assert sum(found.values()) > 2
    assert found[0] == pytest.approx(3 * found[1], rel=0.1)


def test_an_unknown_column_is_refused_with_the_known_ones(weighted):
    with pytest.raises(ConfigError, match="the data has no column 'weight'"):
        sample_weights(experiment_for(weighted(sample_weight="weight")))


def test_a_column_of_texts_cannot_weigh(weighted):
    with pytest.raises(DataError, match="'y' is not one of numbers"):
        sample_weights(experiment_for(weighted(sample_weight="y")))


def test_a_negative_weight_is_refused_with_its_row(weighted):
    experiment = experiment_for(weighted(sample_weight="w"))
    experiment.data.columns["w"][4] = -1
    with pytest.raises(DataError, match="row 5 has -1"):
        sample_weights(experiment)


def test_a_weight_that_is_also_an_input_is_noted(weighted):
    config = weighted(sample_weight="x")
    events = []
    sample_weights(Experiment(config, None, load_data(config), events.append))
    assert isinstance(events[0], Note)
    assert "data.drop: [x]" in events[0].message


def test_class_weights_need_classes(digits):
    config = digits(data="diabetes", training={"class_weight": "balanced"})
    with pytest.raises(ConfigError, match="class weights need classes"):
        sample_weights(experiment_for(config))

import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import config_from_mapping, load_config
from dlrun.errors import ConfigError


def config(*entries, **keys):
    return config_from_mapping({"data": "digits", "model": "mlp", "expect": list(entries), **keys})


def test_one_entry_stands_for_a_list_of_one():
    entry = {"metric": "val_loss", "value": 0.5, "tolerance": 0.1}
    assert config_from_mapping({"data": "digits", "expect": entry}).expect == config(entry).expect


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({}, "states no single result"),
        ({"value": 1, "below": "baseline"}, "states no single result"),
        ({"value": 1}, "a value without tolerance"),
        ({"value": 1, "tolerance": 0.1, "margin": 0.1}, "margin belongs to below and above"),
        ({"above": 0.5, "tolerance": 0.1}, "tolerance belongs to a value"),
        ({"above": 0.5, "seeds": 2}, "too few for an order"),
        ({"above": 0.5, "at": 0}, "at is out of range"),
        ({"above": 0.5, "at": "first"}, "at is not one of best, own_best, last, last_10 or an integer"),
        ({"metric": "test_acc", "above": 0.5}, "is not a score of `dlrun evaluate`"),
        ({"metric": "baseline_val_los", "above": 0.5}, "is not a metric of this run"),
        ({"value": 1, "tolerance": -1}, "tolerance is out of range"),
    ],
)
def test_what_cannot_be_measured_is_refused(entry, text):
    with pytest.raises(ConfigError) as error:
        config({"metric": "val_loss", **entry})
    told = str(error.value).replace("\n", " ")
    assert all(part in told for part in text.split("; "))
    assert "expect[0]" in told


@pytest.mark.parametrize(
    "entry",
    [
        {"metric": "parameters", "value": 93322},
        {"metric": "best_epoch", "value": 4, "tolerance": 2},
        {"metric": "test_accuracy", "value": 0.88, "tolerance": 0.01, "after": "retrain"},
        {"metric": "baseline_test_accuracy_shuffled", "value": 0.19, "tolerance": 0.01},
        {"metric": "val_accuracy", "above": "baseline", "margin": 0.1, "at": 20},
        {"metric": "val_loss", "below": 0.3, "at": "last_10", "seeds": 5},
    ],
)
def test_what_a_source_may_state_survives_the_config_of_a_run(entry, tmp_path):
    written = config(entry, small={"training.epochs": 2})
    (tmp_path / "config.yaml").write_text(dump_config(written))
    assert load_config(tmp_path / "config.yaml").model_dump() == written.model_dump()
    assert {k: v for k, v in written.expect[0].model_dump().items() if k in entry} == entry


def test_an_order_takes_three_runs_and_a_value_one():
    order, value = config(
        {"metric": "loss", "below": "book/imdb"}, {"metric": "loss", "value": 1, "tolerance": 1}
    ).expect
    assert (order.runs, value.runs) == (3, 1)


def test_a_config_extends_the_small_scale_but_not_the_stated_results(tmp_path):
    base = config({"metric": "loss", "above": 1.0}, small={"training.epochs": 2})
    (tmp_path / "base.yaml").write_text(dump_config(base))
    (tmp_path / "top.yaml").write_text("extends: base.yaml\nname: top\n")
    top = load_config(tmp_path / "top.yaml")
    assert (top.small, top.expect) == ({"training.epochs": 2}, [])

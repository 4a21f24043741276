from pathlib import Path

import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError

PLUGIN = str(Path(__file__).parent / "broken" / "plugin.py")


def message(**sections):
    with pytest.raises(ConfigError) as caught:
        config_from_mapping({"data": "digits", **sections})
    (problem,) = caught.value.problems
    return f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    ("metrics", "monitor"),
    [
        (["mae"], "val_mae"),
        (["mean_absolute_error"], "mean_absolute_error"),
        ([{"AUC": {}}], "val_auc"),
        ([{"AUC": {"name": "area"}}], "area"),
        ([{"MeanSquaredError": {}}], "val_mean_squared_error"),
        ([{"F1Score": {}}], "val_f1_score"),
        (["acc"], "val_acc"),
        (None, "val_binary_accuracy"),
        ([], "loss"),
        (None, "val_age_mae"),
        (None, "income_loss"),
    ],
)
def test_a_monitor_may_name_what_will_be_logged(metrics, monitor):
    values = {"data": "digits", "monitor": monitor} | ({"metrics": metrics} if metrics is not None else {})
    assert config_from_mapping(values).monitor.metric == monitor


def test_draws_with_replacement_cannot_be_in_order():
    assert message(training={"draws": "with_replacement", "shuffle": False}) == (
        "training.shuffle is false, and draws with replacement have no order; remove one of both"
    )


@pytest.mark.parametrize("metric", ["loss", "val_age_loss", "age_area", "val_income_accuracy", "val_gender_mae"])
def test_a_monitor_may_name_what_an_output_logs(metric):
    outputs = {"age": {"metrics": [{"AUC": {"name": "area"}}]}, "income": {}}
    assert config_from_mapping({"data": "social_posts", "outputs": outputs, "monitor": metric}).monitor.metric == metric


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"outputs": {"age": {"metrics": ["mae"]}}, "monitor": "val_age_mse"}, "did you mean val_age_mae?"),
        ({"metrics": ["mae"], "monitor": "val_age_mae"}, "monitor.metric is not a metric of this run"),
        ({"outputs": {"age": {"metrics": [{"AUC": {"name": "loss"}}]}}}, "another value is logged as loss, too"),
        ({"monitor": "val_auc"}, "monitor.metric is not a metric of this run; add auc to `metrics`"),
        ({"metrics": ["mae"], "monitor": "mse"}, "monitor.metric is not a metric of this run; add mse to `metrics`"),
        ({"metrics": [{"LogCoshError": {}}], "monitor": "val_log_cosh_error"}, "is not a metric of this run"),
        ({"metrics": [{"FBetaScore": {}}], "monitor": "val_f_beta_score"}, "is not a metric of this run"),
        ({"monitor": "learning_rate"}, "monitor.metric is not a metric of this run"),
        ({"metrics": ["mae", {"MeanAbsoluteError": {"name": "mae"}}, {"AUC": {"name": "mae_1"}}]}, "logged as mae_1"),
        ({"metrics": [{"AUC": {"name": "loss"}}]}, "another value is logged as loss, too"),
        ({"training": {"class_weight": {"3": -1}}}, "training.class_weight.3 is out of range"),
        ({"training": {"class_weight": {"3": float("nan")}}}, "training.class_weight.3 is not a number"),
        ({"split": {"validation": float("nan")}}, "split.validation is not a number or one of test"),
        ({"split": {"fold": {"index": 4}}}, "split.fold.index is out of range"),
    ],
)
def test_what_contradicts_itself_is_refused(sections, text):
    assert text in message(**sections)


def expect(metric):
    return {"metric": metric, "value": 0.9, "tolerance": 0.01}


def test_a_typo_in_the_expected_metric_is_found():
    assert "expect[0].metric is not a metric of this run; did you mean val_accuracy?" in message(
        expect=expect("val_acuracy")
    )


def test_the_expected_metric_need_not_be_the_monitored_one():
    config = config_from_mapping({"data": "digits", "monitor": "val_loss", "expect": expect("accuracy")})
    assert config.expect[0].metric == "accuracy"


def test_a_callback_may_watch_what_only_a_plugin_knows_or_keras_logs_besides():
    callbacks = [{"name": "EarlyStopping", "monitor": "my_measure"}]
    assert config_from_mapping({"data": "digits", "plugins": [PLUGIN], "callbacks": callbacks})
    callbacks = [{"name": "ModelCheckpoint", "monitor": "learning_rate"}]
    assert config_from_mapping({"data": "digits", "callbacks": callbacks})


def test_other_routines_log_what_they_like():
    routine = {"data": "digits", "plugins": [PLUGIN], "routine": "elsewhere", "monitor": "distance"}
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(routine)
    assert [problem.key for problem in caught.value.problems] == [("routine", "name")]


@pytest.mark.parametrize(
    "sections",
    [
        {"monitor": "text_loss"},
        {"monitor": "vale_accuracy", "outputs": {"vale": {}, "other": {}}},
        {"monitor": "val_tests_mae", "data": {"name": "csv", "path": "x.csv", "target": ["tests", "age"]}},
        {"monitor": "tests_mae", "data": {"name": "csv", "path": "x.csv", "target": ["tests", "age"]}},
    ],
)
def test_a_task_may_be_called_almost_like_a_part(sections):
    values = {"data": "social_posts", **sections}
    assert config_from_mapping(values).monitor.metric == sections["monitor"]

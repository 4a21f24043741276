"""What Keras takes must pass, with the arguments it wants; what it cannot be given is told plainly."""

import pytest

from dlrun import keras_names
from dlrun.config.loading import config_from_mapping
from dlrun.errors import ConfigError

VALUES = {
    **dict.fromkeys(("units", "filters", "output_dim", "input_dim", "height", "width", "n", "num_bins"), 4),
    **dict.fromkeys(("kernel_size", "pool_size", "output_size", "num_heads", "key_dim", "head_dim", "max_number"), 2),
    **dict.fromkeys(("num_query_heads", "num_key_value_heads", "num_classes", "axes", "first_decay_steps"), 2),
    **dict.fromkeys(("rate", "stddev", "factor", "scale", "height_factor", "width_factor", "specificity"), 0.1),
    **dict.fromkeys(("sensitivity", "recall", "precision", "initial_learning_rate", "decay_rate"), 0.1),
    **{key: [1] for key in ("dims", "target_shape", "output_shape", "target_class_ids")},
    **{key: {"LSTMCell": {"units": 2}} for key in ("layer", "cell")},
    **{key: ["Flatten", {"GRUCell": {"units": 2}}] for key in ("cells", "layers")},
    **dict.fromkeys(("filepath", "directory"), "folder/file.keras"),
    **{"activation": "relu", "equation": "ab,bc->ac", "decay_steps": 10, "boundaries": [1], "values": [1.0, 0.5]},
    "factor": [-0.1, 0.1],
}
PYTHON = ("LearningRateScheduler", "LambdaCallback", "Lambda", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")
INPUTS = ("Input", "InputLayer")


def spellings(kind):
    return [name for name in keras_names.names(kind) if name not in (*PYTHON, *INPUTS)]


def required(kind, name):
    return {p.name: VALUES[p.name] for p in keras_names.signature(kind, name).parameters if p.required}


def check(**sections):
    return config_from_mapping({"data": "digits", **sections})


def layers(*items):
    return check(model={"name": "layers", "layers": list(items)}).model.parameters["layers"]


def message(**sections):
    with pytest.raises(ConfigError) as caught:
        check(**sections)
    (problem,) = caught.value.problems
    return f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize("name", spellings("optimizers"))
def test_every_optimizer_passes(name):
    assert check(optimizer=name).optimizer.name == name


@pytest.mark.parametrize("name", spellings("schedules"))
def test_every_schedule_passes(name):
    schedule = {name: required("schedules", name)}
    assert check(optimizer={"name": "sgd", "learning_rate": schedule}).optimizer.parameters["learning_rate"] == schedule


@pytest.mark.parametrize("name", spellings("losses"))
def test_every_loss_passes_as_a_name_and_as_a_mapping(name):
    assert check(loss={name: required("losses", name)}).loss
    if not required("losses", name):
        assert check(loss=name).loss


@pytest.mark.parametrize("name", spellings("metrics"))
def test_every_metric_passes_as_a_name_and_as_a_mapping(name):
    assert check(metrics=[{name: required("metrics", name)}]).metrics
    if not required("metrics", name):
        assert check(metrics=[name]).metrics == [name]


@pytest.mark.parametrize("name", [name for name in spellings("callbacks") if name != "BackupAndRestore"])
def test_every_callback_passes(name):
    given = required("callbacks", name) if name == "OrbaxCheckpoint" else {}
    config = check(callbacks=[{"name": name, **given}], optimizer={"use_ema": True})
    assert config.callbacks[0].name == name


@pytest.mark.parametrize("name", spellings("layers"))
def test_every_layer_passes(name):
    item = {name: required("layers", name)}
    assert layers(item) == [item]


@pytest.mark.parametrize("kind", ["initializers", "regularizers", "constraints"])
def test_every_initializer_regularizer_and_constraint_passes(kind):
    argument = f"kernel_{kind[:-1]}"
    for name in spellings(kind):
        if not required(kind, name):
            layers({"Dense": {"units": 2, argument: name}}, {"Dense": {"units": 2, argument: {name: {}}}})


@pytest.mark.parametrize("name", spellings("activations"))
def test_every_activation_passes(name):
    assert layers({"Activation": {"activation": name}})


@pytest.mark.parametrize(
    ("sections", "section", "kept"),
    [
        (
            {"loss": "CategoricalGeneralizedCrossEntropy"},
            "loss",
            {"CategoricalGeneralizedCrossEntropy": {}},
        ),
        (
            {"loss": "categorical_generalized_cross_entropy"},
            "loss",
            {"CategoricalGeneralizedCrossEntropy": {}},
        ),
        ({"loss": {"crossentropy": None}}, "loss", "crossentropy"),
        ({"metrics": [{"accuracy": {}}, "mse"]}, "metrics", ["accuracy", "mse"]),
    ],
)
def test_what_keras_does_not_find_by_that_spelling_is_kept_in_another(sections, section, kept):
    assert getattr(check(**sections), section) == kept


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ({"metrics": ["mean_io_u"]}, "the metric `mean_io_u` needs the argument num_classes"),
        ({"metrics": ["accuracy", "PrecisionAtRecall"]}, "the metric `PrecisionAtRecall` needs the argument recall"),
        ({"optimizer": {"learning_rate": "CosineDecay"}}, "needs arguments initial_learning_rate, decay_steps"),
        ({"metrics": [{"AUC": {"curve": "ROD"}}]}, "did you mean roc?"),
        ({"metrics": [["mae"]]}, "metrics[0] is not a metric"),
        ({"loss": {"a": "mse", "b": "mae"}}, "{outputs: {a: {loss: mse}, b: {loss: mae}}}"),
        ({"loss": {"a": None, "b": None}}, "{outputs: {a: {}, b: {}}}"),
        ({"loss": {"Huber": None, "delta": 2}}, "write {Huber: {delta: 2}}"),
        ({"callbacks": ["LearningRateScheduler"]}, "give optimizer.learning_rate a schedule"),
        ({"callbacks": ["LambdaCallback"]}, "`LambdaCallback` needs Python code"),
        ({"callbacks": [{"name": "ReduceLROnPlateau", "factor": 1.5}]}, "callbacks[0].factor is out of range"),
        ({"optimizer": {"name": "sgd", "momentum": 90}}, "write 0.9 for 90 %"),
        ({"optimizer": {"gradient_accumulation_steps": 1}}, "optimizer.gradient_accumulation_steps is out of range"),
        ({"optimizer": {"learning_rate": float("nan")}}, "optimizer.learning_rate is not a number; None"),
        ({"optimizer": {"learning_rate": [1, 2]}}, "optimizer.learning_rate is not a number; None"),
        ({"optimizer": {"epsilon": -1e-7}}, "optimizer.epsilon is out of range; None"),
        ({"optimizer": {"epsilon": []}}, "optimizer.epsilon is not a number; None"),
        ({"optimizer": {"epsilon": float("inf")}}, "optimizer.epsilon is not a number"),
        ({"optimizer": {"clipnorm": float("inf")}}, "optimizer.clipnorm is not a number"),
        (
            {"model": {"name": "mlp", "kernel_regularizer": {"L2": {"l2": {"a": 1}}}}},
            "model.kernel_regularizer.L2.l2 is not a number",
        ),
        (
            {"model": {"name": "mlp", "kernel_regularizer": {"L1L2": {"l2": []}}}},
            "model.kernel_regularizer.L1L2.l2 is not a number",
        ),
        (
            {"model": {"name": "mlp", "kernel_regularizer": {"L2": {"l2": -7.5}}}},
            "kernel_regularizer.L2.l2 is out of range",
        ),
    ],
)
def test_what_a_run_would_refuse_is_refused(sections, text):
    assert text in message(**sections)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("Dense", "write {Dense: {units: 32}}"),
        ({"Rescaling": {"scale": "1./255"}}, "Rescaling.scale is not a number"),
        ({"Conv1D": {"filters": 1, "kernel_size": 2, "padding": "cause"}}, "did you mean causal?"),
        ({"Lambda": {"function": "x + 1"}}, "the layer `Lambda` needs Python code"),
        ({"Input": {"shape": [3]}}, "dlrun adds the input layer itself"),
        ("InputLayer", "dlrun adds the input layer itself"),
        ({"RNN": {"cell": {"LSTMCel": {"units": 2}}}}, "Keras has no layer named 'LSTMCel'"),
        ({"RNN": {"cell": [{"LSTMCell": {"unit": 2, "units": 2}}]}}, "unit is not an argument of the layer `LSTMCell`"),
        ({"RNN": {"cell": 3}}, "cell is not a layer"),
    ],
)
def test_layers_that_cannot_be_built_are_refused(item, text):
    assert text in message(model={"name": "layers", "layers": [item]})

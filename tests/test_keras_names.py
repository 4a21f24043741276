import subprocess
import sys

import pytest

from dlrun import keras_names
from dlrun.errors import UnknownNameError


def parameters(kind, name):
    return [p.name for p in keras_names.signature(kind, name).parameters]


@pytest.mark.parametrize(
    ("kind", "text", "own"),
    [
        ("optimizers", "rmsprop", "RMSprop"),
        ("optimizers", "ADAM", "Adam"),
        ("losses", "mse", "MeanSquaredError"),
        ("losses", "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"),
        ("losses", "Huber", "Huber"),
        ("losses", "crossentropy", "crossentropy"),
        ("metrics", "acc", "acc"),
        ("metrics", "auc", "AUC"),
        ("metrics", "mae", "MeanAbsoluteError"),
        ("regularizers", "l2", "L2"),
        ("initializers", "normal", "RandomNormal"),
        ("constraints", "max_norm", "MaxNorm"),
        ("activations", "swish", "silu"),
        ("schedules", "CosineDecay", "CosineDecay"),
        ("layers", "Convolution2D", "Convolution2D"),
        ("layers", "dense", None),
        ("losses", "Mse", None),
        ("callbacks", "Callback", None),
        ("losses", "serialize", None),
        ("regularizers", "l1_l2", "L1L2"),
    ],
)
def test_names_are_accepted_as_keras_accepts_them(kind, text, own):
    assert keras_names.canonical(kind, text) == own


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError) as caught:
        keras_names.signature("layers", "Dens")
    assert caught.value.problems[0].hint == "did you mean Dense?"


@pytest.mark.parametrize(
    ("kind", "name", "inherited"),
    [
        ("layers", "Dense", "trainable"),
        ("layers", "MaxPooling2D", "dtype"),
        ("layers", "Add", "name"),
        ("layers", "TimeDistributed", "name"),
        ("layers", "GaussianNoise", "trainable"),
        ("layers", "RandomFlip", "dtype"),
        ("layers", "LSTM", "implementation"),
        ("optimizers", "adamw", "global_clipnorm"),
    ],
)
def test_arguments_of_base_classes_count(kind, name, inherited):
    assert inherited in parameters(kind, name)


def test_arguments_that_a_class_sets_for_its_base_do_not_count():
    assert "pool_dimensions" not in parameters("layers", "MaxPooling2D")
    assert "fn" not in parameters("losses", "Huber")


@pytest.mark.parametrize("kind", keras_names.KINDS)
def test_every_signature_can_be_read(kind):
    for name in keras_names.preferred_names(kind):
        found = keras_names.signature(kind, name)
        assert found.file.exists() or found.name in ("accuracy", "acc", "crossentropy", "ce")
        assert len(parameters(kind, name)) == len(set(parameters(kind, name)))


def test_almost_every_signature_is_closed():
    kinds = [(kind, name) for kind in keras_names.KINDS for name in keras_names.preferred_names(kind)]
    unknown = [pair for pair in kinds if keras_names.signature(*pair).open]
    assert len(unknown) <= 4, unknown


@pytest.mark.slow
def test_names_and_arguments_equal_those_of_the_imported_keras():
    program = """
import inspect, keras
from dlrun import keras_names
modules = {"layers": keras.layers, "callbacks": keras.callbacks, "schedules": keras.optimizers.schedules}
kinds = "optimizers losses metrics initializers regularizers constraints"
modules |= {kind: getattr(keras, kind) for kind in kinds.split()}
for kind, module in modules.items():
    for own in set(keras_names.names(kind).values()):
        if own in ("accuracy", "acc", "crossentropy", "ce"):
            continue
        cls = getattr(module, own)
        real = {n for n, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
        read = {p.name for p in keras_names.signature(kind, own).parameters}
        assert real - {"args", "self"} <= read, (kind, own, real - read)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(("kind", "name"), [("optimizers", "lamb"), ("losses", "CategoricalGeneralizedCrossEntropy")])
def test_public_objects_that_keras_does_not_find_by_a_string_have_a_name_too(kind, name):
    assert keras_names.canonical(kind, name)


@pytest.mark.parametrize("kind", keras_names.KINDS)
def test_every_public_object_of_the_imported_keras_has_a_name(kind):
    import keras

    module = keras.optimizers.schedules if kind == "schedules" else getattr(keras, kind)
    bases = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap", "LearningRateSchedule", "Loss"}
    bases |= {"Metric", "MeanMetricWrapper", "Callback", "CallbackList", "Layer", "InputSpec", "Wrapper"}
    bases |= {"Initializer", "Regularizer", "Constraint", "get", "serialize", "deserialize"}
    functions = kind in ("losses", "activations")  # elsewhere functions are called on tensors, not named
    public = {name: value for name, value in vars(module).items() if callable(value) and name not in bases}
    wanted = {name for name, value in public.items() if functions or isinstance(value, type)}
    assert len(wanted) > 3
    assert wanted <= set(keras_names.names(kind)), wanted - set(keras_names.names(kind))


@pytest.mark.parametrize("kind", ["losses", "metrics", "initializers", "regularizers", "constraints"])
def test_what_is_a_string_is_found_by_the_imported_keras(kind):
    import keras

    for name in keras_names.names(kind):
        if name in ("accuracy", "acc", "crossentropy", "ce"):
            continue
        try:
            getattr(keras, kind).get(name)
            found = True
        except (TypeError, KeyError):  # found, and it lacks arguments
            found = True
        except ValueError:
            found = False
        assert keras_names.is_string(kind, name) is found, name

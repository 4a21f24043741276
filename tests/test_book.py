"""The book's experiments: every parameter count and shape that it states, without data and without training."""

import pytest

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import load_config
from dlrun.engine.resolve import build_model
from dlrun.spec import DataSpec, InputSpec, Task

# Stated by the book, or (most of chapters 3, 4 and 6) what its listings come to.
PARAMETERS = {
    "mnist_dense": 407_050,
    "imdb_dense_holdout": 160_305,
    "imdb_dense_holdout_as_printed": 160_305,
    "imdb_dense_retrain": 160_305,
    "imdb_variants_one_hidden": 160_033,
    "imdb_variants_three_hidden": 160_577,
    "imdb_variants_32_units": 321_121,
    "imdb_variants_64_units": 644_289,
    "imdb_variants_mse": 160_305,
    "imdb_variants_tanh": 160_305,
    "reuters_dense_holdout": 647_214,
    "reuters_dense_retrain": 647_214,
    "reuters_dense_retrain_as_printed": 647_214,
    "reuters_sparse_labels": 647_214,
    "reuters_bottleneck": 640_554,
    "reuters_bottleneck_batch_512": 640_554,
    "reuters_variants_32_units": 322_606,
    "reuters_variants_128_units": 1_302_574,
    "reuters_variants_one_hidden": 643_054,
    "reuters_variants_three_hidden": 651_374,
    "boston_final": 5_121,
    "imdb_capacity_original": 160_305,
    "imdb_capacity_smaller": 40_029,
    "imdb_capacity_bigger": 5_383_681,
    "imdb_l2": 160_305,
    "imdb_l1": 160_305,
    "imdb_l1_l2": 160_305,
    "imdb_dropout": 160_305,
    "imdb_capacity_original_as_printed": 160_305,
    "imdb_capacity_smaller_as_printed": 40_029,
    "imdb_capacity_bigger_as_printed": 5_383_681,
    "imdb_l2_as_printed": 160_305,
    "imdb_dropout_as_printed": 160_305,
    "mnist_convnet": 93_322,
    "mnist_convnet_no_pool": 55_744 + 15_860_224 + 5_130,
    "cats_dogs_baseline": 3_453_121,
    "cats_dogs_augmented": 3_453_121,
    "cats_dogs_first500_baseline": 3_453_121,
    "cats_dogs_first500_augmented": 3_453_121,
    "imdb_embed8_flatten": 80_161,
    "imdb_simplernn": 322_113,
    "imdb_lstm": 328_353,
    "imdb_lstm_as_printed": 328_353,
    "imdb_lstm_reversed": 328_353,
    "imdb_lstm_reversed_as_printed": 1_300_641,
    "imdb_bilstm": 336_705,
    "imdb_bilstm_as_printed": 336_705,
    "imdb_conv1d": 1_315_937,
    "imdb_conv1d_as_printed": 1_315_937,
    "jena_naive": 107_585,
    "jena_dense": 107_585,
    "jena_gru": 4_641,
    "jena_gru_as_printed": 4_545,
    "jena_gru_five_days": 4_641,
    "jena_gru_dropout": 4_641,
    "jena_gru_stacked": 23_489,
    "jena_gru_reversed": 4_641,
    "jena_bigru": 9_281,
    "jena_conv1d": 12_609,
    "jena_conv1d_gru": 13_793,
    "boston_kfold_100": 5_121,
    "boston_kfold_500": 5_121,
}


def _configs():
    return {name.removeprefix("book/"): path for name, path in shipped_configs().items() if name.startswith("book/")}


def _spec(data):
    """What the data of a config looks like: the book's shapes, without the files."""
    options = data.parameters
    binary = {"label": Task("binary", labels=("no", "yes"))}
    if data.name in ("imdb", "reuters") and options.get("encoding") != "sequence":
        shape = InputSpec((options["num_words"],))
    elif data.name == "imdb":
        shape = InputSpec((options["maxlen"],), "int32", vocabulary_size=options.get("num_words", 10_000))
    elif data.name == "mnist":
        shape = InputSpec((784,) if options.get("flat") else (28, 28, 1))
    elif data.name == "image_folder":
        shape = InputSpec((options["height"], options["width"], 3))
    elif data.name == "timeseries_csv":
        shape = InputSpec((options["lookback"] // options["step"], 14))
    else:
        shape = InputSpec((13,))
    regression = Task("regression")
    known = {"boston_housing": regression, "timeseries_csv": regression}
    task = {**known, "mnist": _classes(10), "reuters": _classes(46)}.get(data.name)
    return DataSpec({"input": shape}, {"label": task} if task else binary)


def _classes(count):
    return Task("multiclass", labels=tuple(map(str, range(count))))


def _model(name):
    config = load_config(_configs()[name])
    return build_model(config.model, _spec(config.data))


def test_every_config_of_the_book_has_its_count_here():
    assert {_original(name) for name in _configs()} == set(PARAMETERS)


def _original(name):
    """The config for the book's own file, of one for another file of the same kind."""
    return name.replace("jena_2024", "jena")


@pytest.mark.parametrize("name", sorted(_configs()))
def test_a_model_of_the_book_has_as_many_parameters_as_stated(name):
    assert _model(name).count_params() == PARAMETERS[_original(name)]

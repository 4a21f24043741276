"""The book's experiments: every parameter count and shape that it states, without data and without training."""

from pathlib import Path

import keras
import numpy as np
import pytest

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import load_config
from dlrun.config.schema import Component
from dlrun.data._series_parts import Windows, bounds_of, row_parts
from dlrun.engine.describing import describe_model
from dlrun.engine.resolve import build_model, load_data
from dlrun.spec import DataSpec, InputSpec, Task
from dlrun.train import train

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
    **dict.fromkeys(("dcgan_frogs", "dcgan_frogs_as_printed", "dcgan_frogs_jpeg"), 6_264_579 + 790_913),
    "mnist_convnet": 93_322,
    "mnist_convnet_no_pool": 55_744 + 15_860_224 + 5_130,
    "cats_dogs_baseline": 3_453_121,
    "cats_dogs_augmented": 3_453_121,
    "cats_dogs_first500_baseline": 3_453_121,
    "cats_dogs_first500_augmented": 3_453_121,
    "vgg16_feature_dense": 14_714_688 + 2_097_665,
    "vgg16_frozen_augmented": 14_714_688 + 2_097_665,
    "vgg16_unfrozen_all": 14_714_688 + 2_097_665,
    "vgg16_finetune": 14_714_688 + 2_097_665,
    "mobilenet_v2_first500_features": 410_208 + 1280 * 256 + 256 + 257,
    "mobilenet_v2_first500_frozen_augmented": 410_208 + 1280 * 256 + 256 + 257,
    "mobilenet_v2_first500_finetune": 410_208 + 1280 * 256 + 256 + 257,
    "squeezenet_first500_features": 722_496 + 512 * 256 + 256 + 257,
    "imdb_embed8_flatten": 80_161,
    "imdb_embed8_flatten_first_words": 80_161,
    "imdb_raw_scratch_200": 1_320_065,
    "imdb_raw_glove_frozen_200": 1_320_065,
    "imdb_raw_glove_top2717_200": 1_320_065,
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
    "func_vs_sequential": 2_080 + 1_056 + 330,
    "func_vs_sequential_graph": 2_080 + 1_056 + 330,
    "qa_two_inputs": 1_000_052,
    "social_three_heads": 14_146_316,
    "social_three_heads_as_printed": 14_146_316,
    "inception_module": 256 + (256 + 147_584) + 1_280 + (256 + 2 * 147_584) + 5_130,
    "residual_identity": 1_280 + 3 * 147_584 + 1_290,
    "residual_linear": (1_280 + 147_584) + 256 + 1_290,
    "siamese_xception": 20_861_480 + 4_097,
    "siamese_lstm": 20_608 + 33,
    "siamese_lstm_as_printed": 20_673,
    "cb_earlystop_checkpoint": 31 * 16 + 17,
    "cb_reduce_lr": 31 * 16 + 17,
    "cb_activation_logger": 31 * 16 + 17,
    "imdb_conv1d_tensorboard": 291_937,
    "batchnorm_patterns": 320 + 128 + 1_153 * 32 + 128 + 330,
    "sepconv_small": 38_949,
    "sepconv_small_as_printed": 38_949,
    "hyperparameter_search": 65 * 64 + 65 * 64 + 650,
    **dict.fromkeys(("vae_mnist", "vae_mnist_as_printed", "vae_fashion_mnist"), 494_244 + 56_385),
    "autoencoder_mnist": 494_244 - 66 + 56_385,
    "deepdream": 21_802_784,
    "deepdream_mobilenet_v2": 410_208,
    "style_transfer": 20_024_384,
    "style_transfer_squeezenet": 722_496,
    "char_lstm_nietzsche": 102_585,
    "char_lstm_nietzsche_as_printed": 102_585,
    "char_gru_stacked_nietzsche": 71_808 + 99_072 + 7_353,
    "char_conv1d_nietzsche": 36_608 + 2 * 82_048 + 58_425,
}


def _configs():
    return {name.removeprefix("book/"): path for name, path in shipped_configs().items() if name.startswith("book/")}


WITHOUT_FILES = ("digits", "breast_cancer", "question_answers", "social_posts", "sentence_pairs", "stereo_views")


def _spec(config):
    """What the data of a config looks like: the book's shapes, without the files."""
    data, options = config.data, config.data.parameters
    if data.name in WITHOUT_FILES:
        return load_data(config).spec
    if data.name == "pictures":
        return DataSpec({"image": InputSpec((None, None, 3))}, {})
    binary = {"label": Task("binary", labels=("no", "yes"))}
    if data.name in ("imdb", "reuters") and options.get("encoding") != "sequence":
        shape = InputSpec((options["num_words"],))
    elif data.name in ("imdb", "imdb_raw"):
        shape = InputSpec((options["maxlen"],), "int32", vocabulary_size=options.get("num_words", 10_000))
    elif data.name in ("mnist", "fashion_mnist"):
        shape = InputSpec((784,) if options.get("flat") else (28, 28, 1))
    elif data.name == "image_folder":
        shape = InputSpec((options["height"], options["width"], 3))
    elif data.name == "cifar10":
        shape = InputSpec((32, 32, 3))
    elif data.name == "timeseries_csv":
        shape = InputSpec((options["lookback"] // options["step"], 14))
    elif data.name == "text_corpus":
        shape = InputSpec((options["maxlen"], 57))
    else:
        shape = InputSpec((13,))
    regression = Task("regression")
    known = {"boston_housing": regression, "timeseries_csv": regression}
    task = {
        **known,
        "mnist": _classes(10),
        "cifar10": _classes(10),
        "text_corpus": _classes(57),
        "reuters": _classes(46),
    }.get(data.name)
    return DataSpec({"input": shape}, {"label": task} if task else binary)


def _classes(count):
    return Task("multiclass", labels=tuple(map(str, range(count))))


def _model(name):
    config = load_config(_configs()[name])
    model = config.model
    if model.parameters.get("vectors"):  # the file of vectors becomes an array before the model is built
        model = Component(**{**model.model_dump(), "vectors": np.zeros((10_000, 100), "float32")})
    if model.name == "pretrained":  # counted without the files of weights
        model = Component(**{**model.model_dump(), "weights": None})
    return build_model(model, _spec(config))


def test_every_config_of_the_book_has_its_count_here():
    assert {_original(name) for name in _configs()} == set(PARAMETERS)


def _original(name):
    """The config for the book's own file, of one for another file of the same kind."""
    return name.replace("jena_2024", "jena")


@pytest.mark.parametrize("name", sorted(_configs()))
def test_a_model_of_the_book_has_as_many_parameters_as_stated(name):
    assert _model(name).count_params() == PARAMETERS[_original(name)]


# Output shapes and parameters of the layers that have some, in their order.
LAYERS = {
    "mnist_convnet": (
        [(26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (3, 3, 64), (576,), (64,), (10,)],
        [320, 18_496, 36_928, 36_928, 650],
    ),
    "mnist_convnet_no_pool": (
        [(26, 26, 32), (24, 24, 64), (22, 22, 64), (30_976,), (512,), (10,)],
        [320, 18_496, 36_928, 15_860_224, 5_130],
    ),
    "cats_dogs_baseline": (
        [*((size, size, 32) for size in (148, 74)), *((size, size, 64) for size in (72, 36))]
        + [(size, size, 128) for size in (34, 17, 15, 7)]
        + [(6_272,), (512,), (1,)],
        [896, 18_496, 73_856, 147_584, 3_211_776, 513],
    ),
    "imdb_embed8_flatten": ([(20, 8), (160,), (1,)], [80_000, 161]),
    "imdb_conv1d": ([(500, 128), (494, 32), (98, 32), (92, 32), (32,), (1,)], [1_280_000, 28_704, 7_200, 33]),
    "sepconv_small": (
        [
            *((64, 64, 3), (62, 62, 32), (60, 60, 64), (30, 30, 64), (28, 28, 64), (26, 26, 128), (13, 13, 128)),
            *((11, 11, 64), (9, 9, 128), (128,), (32,), (10,)),
        ],
        [155, 2_400, 4_736, 8_896, 9_408, 8_896, 4_128, 330],
    ),
    "imdb_conv1d_tensorboard": (
        [(500, 128), (494, 32), (98, 32), (92, 32), (32,), (1,)],
        [256_000, 28_704, 7_200, 33],
    ),
    "jena_dense": ([(3_360,), (32,), (1,)], [107_552, 33]),
    "jena_conv1d": (
        [(236, 32), (78, 32), (74, 32), (24, 32), (20, 32), (32,), (1,)],
        [2_272, 5_152, 5_152, 33],
    ),
    "jena_conv1d_gru": ([(236, 32), (78, 32), (74, 32), (32,), (1,)], [2_272, 5_152, 6_336, 33]),
}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_the_layers_of_a_model_have_the_shapes_of_the_book(name):
    rows = describe_model(_model(name)).layers[1:]
    shapes, counts = LAYERS[name]
    assert [row.shape for row in rows if row.kind != "Dropout"] == shapes
    assert [row.parameters for row in rows if row.parameters] == counts


def test_frozen_vectors_leave_the_dense_layers_to_train():
    """DLwP 6.1.3: 1,000,000 of 1,320,065 parameters are the vectors."""
    assert describe_model(_model("imdb_raw_glove_frozen_200")).trainable_parameters == 320_065


RNN = {"SimpleRNN": {"units": 32}}
RNN_SEQUENCE = {"SimpleRNN": {"units": 32, "return_sequences": True}}


@pytest.mark.parametrize(
    ("layers", "shape", "count"),
    [
        ([RNN], (None, 32), 322_080),
        ([RNN_SEQUENCE], (None, None, 32), 322_080),
        ([RNN_SEQUENCE] * 3 + [RNN], (None, 32), 328_320),
    ],
)
def test_stacks_of_simple_rnns_have_the_shapes_and_counts_of_the_book(layers, shape, count):
    """DLwP 6.2.1, the unnumbered summaries."""
    spec = DataSpec({"input": InputSpec((None,), "int32", vocabulary_size=10_000)}, {"label": Task("regression")})
    embedding = {"Embedding": {"input_dim": 10_000, "output_dim": 32}}
    parts = Component(name="layers", layers=[embedding, *layers], head=False)
    model = build_model(parts, spec)
    assert model.output_shape == shape
    assert model.count_params() == count


@pytest.mark.parametrize(
    ("name", "count"),
    [("jena_gru", 4_545), ("jena_gru_stacked", 23_201), ("jena_bigru", 9_089), ("jena_conv1d_gru", 13_697)],
)
def test_a_gru_of_old_keras_has_one_row_of_biases_less(name, count):
    """reset_after was False by default when the book was written."""
    model = _model(name)
    biases = [layer.cell.bias for layer in model._flatten_layers() if isinstance(layer, keras.layers.GRU)]
    assert model.count_params() - sum(bias.shape[1] for bias in biases) == count


def test_the_rnn_in_numpy_is_the_layer_of_keras():
    """DLwP 6.2, listing 6-21: 100 time steps, 32 features in, 64 out."""
    random = np.random.default_rng(0)
    inputs = random.random((100, 32)).astype("float32")
    kernel, recurrent, bias = (random.uniform(-0.1, 0.1, shape).astype("float32") for shape in ((64, 32), (64, 64), 64))
    state, outputs = np.zeros(64, "float32"), []
    for row in inputs:
        state = np.tanh(kernel @ row + recurrent @ state + bias)
        outputs.append(state)
    layer = keras.layers.SimpleRNN(64, return_sequences=True)
    layer.build((1, 100, 32))
    layer.set_weights([kernel.T, recurrent.T, bias])
    assert np.stack(outputs).shape == (100, 64)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(inputs[None])[0]), np.stack(outputs), atol=1e-5)


def test_tensor_operations_have_the_shapes_of_the_book():
    """DLwP 2.3: broadcasting, dot, reshape, transpose."""
    assert keras.ops.maximum(np.ones((64, 3, 32, 10)), np.ones((32, 10))).shape == (64, 3, 32, 10)
    assert keras.ops.dot(np.ones((5, 3)), np.ones((3, 4))).shape == (5, 4)
    rows = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    assert keras.ops.reshape(rows, (2, 3)).numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert keras.ops.reshape(rows, (6, 1)).shape == (6, 1)
    assert keras.ops.transpose(np.zeros((300, 20))).shape == (20, 300)


@pytest.mark.parametrize(
    ("tips", "angles"),
    [(((0.7, 0.7), (0.5, 0.0)), (45, 0)), (((0.0, 1.0), (-0.38, 0.32)), (90, 140))],
)
def test_the_tips_of_a_clocks_hands_give_its_angles(tips, angles):
    """DLwP 4.3.2, figure 4-3."""
    x, y = np.transpose(tips)
    np.testing.assert_allclose(np.degrees(np.arctan2(y, x)), angles, atol=0.5)


@pytest.mark.parametrize(
    ("name", "training", "validation"),
    [
        ("jena_gru", 198_560, 769 * 128),
        ("jena_gru_five_days", 199_280, 775 * 128),
        ("jena_conv1d_gru", 199_280, 775 * 128),
    ],
)
def test_the_windows_of_jena_are_as_many_as_the_generator_of_the_book_gives(name, training, validation):
    """DLwP 6.3.2, listings 6-33, 6-34, on the 420,551 rows of the original file."""
    data, rows = load_config(_configs()[name]).data.parameters, 420_551
    bounds = bounds_of(Path("jena.csv"), rows, data["ranges"], 0.2, 0.2)
    windows = Windows(data["lookback"], data["delay"], data["edges"])
    parts = row_parts(Path("jena.csv"), bounds, windows, np.ones(rows, bool))[1]
    assert (len(parts["training"]), len(parts["validation"])) == (training, validation)


@pytest.mark.slow
def test_labels_as_integers_learn_as_labels_in_rows_do(outputs):
    """DLwP 3.5.6: the same loss by another interface."""
    short = ["data.sample=true", "training.epochs=2", "training.tensorboard=false", "runtime.jit_compile=false"]
    names = ("reuters_dense_holdout", "reuters_sparse_labels")
    rows, integers = (train(load_config(_configs()[name], short), outputs=outputs).history() for name in names)
    assert integers[-1] == pytest.approx(rows[-1], rel=1e-4)

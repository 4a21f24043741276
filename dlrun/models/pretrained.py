"""A pretrained base with Dense layers on it (DLwP 5.3)."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import keras

import dlrun
from dlrun.applications import APPLICATIONS, Scaling
from dlrun.errors import ConfigError, Key, did_you_mean, listing
from dlrun.files import first_line
from dlrun.models._blocks import dense_stack
from dlrun.models._freezing import unfreeze
from dlrun.models._heads import output
from dlrun.models._inputs import single_input
from dlrun.models._squeezenet import squeezenet
from dlrun.spec import Activation, BaseWeights, Count, DataSpec, Fraction, Regularizer

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in Keras' mode "torch"
_BGR_MEAN = (103.939, 116.779, 123.68)  # of ImageNet's bytes, in Keras' mode "caffe"


@dlrun.model("pretrained")
def pretrained(
    spec: DataSpec,
    *,
    base: Literal[
        "vgg16",
        "vgg19",
        "resnet50",
        "inception_v3",
        "xception",
        "mobilenet",
        "mobilenet_v2",
        "densenet121",
        "efficientnet_b0",
        "squeezenet",
    ],
    weights: BaseWeights = "imagenet",
    alpha: float = 1.0,
    trainable: bool | str = False,
    preprocessing: Literal["base", "none"] = "base",
    pooling: Literal["flatten", "average", "max"] = "average",
    hidden: list[Count] = [],  # noqa: B006 - read, never changed
    activation: Activation = "relu",
    dropout: Fraction = 0.0,
    kernel_regularizer: Regularizer = None,
    features: Literal["auto", "cached", "inline"] = "auto",
) -> keras.Model:
    """A base that has learned other pictures, then Dense layers that learn these.

    Inputs are images `(batch, height, width, channels)`, 0 to 1; grey ones are repeated for the three channels. The
    base's batch normalisation stays as it is, also where the base learns on, unless it starts without weights. For data
    without targets it is the base alone. The book's net on VGG16 (DLwP 5.3.1) is `base: vgg16, preprocessing: none,
    pooling: flatten, hidden: [256], dropout: 0.5`.

    Args:
        spec: What the data looks like.
        base: A Keras application, or squeezenet (v1.1).
        weights: `imagenet`: the published file, from the folder `weights` of the data folders, Keras' cache or a
            download; a path; `{from_run: PATH}`: the same base as the run in that folder trained it; null: to learn
            from scratch.
        alpha: Width multiplier of mobilenet and mobilenet_v2.
        trainable: Whether training changes the base; a layer's name: that layer and those after it. `training.stages`
            can unfreeze it later.
        preprocessing: `base` gives the base the pixels as it was trained with, `none` those of the data, 0 to 1, as the
            book does with VGG16.
        pooling: What becomes of the base's last maps: all values, or one mean or maximum for each channel.
        hidden: Units of the Dense layers after that.
        activation: Of the Dense layers.
        dropout: Share of units dropped after each of them (or before the last layer, without them) while training.
        kernel_regularizer: On the kernels of the Dense layers.
        features: `cached` computes what a frozen base gives once and keeps it in the cache; `inline` in each step.
            `auto`: cached where that gives the same: the base stays frozen and has no dropout, pictures are not varied,
            and no callback looks inside of the model.

    Raises:
        ConfigError: There is no such base, the input is no image, or the weights are of another base.
    """
    inputs = single_input(spec, "pretrained")
    shape = _check_image(spec)
    _check_base(base, alpha)
    known = APPLICATIONS[base]
    net = make_base(base, shape, alpha=alpha, key=("model", "base"))
    _set_weights(net, base, weights)
    if weights is not None or trainable is not True:
        net.trainable = False
    if trainable and not net.trainable:
        unfreeze(net, "all" if trainable is True else str(trainable), key=("model", "trainable"))
    pixels = inputs if spec.input.shape[-1] == 3 else keras.layers.Concatenate(name="three_channels")([inputs] * 3)
    maps = net(_scaled(pixels, known.scaling) if preprocessing == "base" else pixels)
    if not spec.tasks:
        return keras.Model(inputs, maps, name="pretrained")
    pools = {"average": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    found = pools.get(pooling, keras.layers.Flatten)()(maps)
    if dropout and not hidden:
        found = keras.layers.Dropout(dropout)(found)
    found = dense_stack(found, hidden, activation=activation, dropout=dropout, kernel_regularizer=kernel_regularizer)
    return keras.Model(inputs, output(spec, found, {base}), name="pretrained")


def _check_image(spec: DataSpec) -> tuple[int | None, ...]:
    """The shape that the base gets. Raises ConfigError."""
    shape = spec.input.shape
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ConfigError(
            f"the model 'pretrained' wants images (height, width, 1 or 3), the data gives {shape}",
            key=("model", "name"),
        )
    return (*shape[:2], 3)


def _check_base(base: str, alpha: float) -> None:
    if base not in APPLICATIONS:
        hint, key = did_you_mean(base, APPLICATIONS), ("model", "base")
        raise ConfigError(f"there is no base {base!r}", key=key, expected=listing(APPLICATIONS), hint=hint)
    if alpha != 1.0 and not APPLICATIONS[base].spellings:
        raise ConfigError(f"the base {base} has one width only", key=("model", "alpha"), received=str(alpha))


def make_base(base: str, shape: tuple[int | None, ...], *, name: str = "", alpha: float = 1.0, key: Key) -> keras.Model:
    """The base without weights, under its own name or another. Raises ConfigError when images are too small for it."""
    if base == "squeezenet":
        return squeezenet(shape, name or base)
    application = getattr(keras.applications, APPLICATIONS[base].keras_name)
    more = {"alpha": alpha} if APPLICATIONS[base].spellings else {}
    try:
        return application(include_top=False, weights=None, input_shape=shape, name=name or base, **more)
    except ValueError as error:
        raise ConfigError(f"Keras refuses the base {base}: {first_line(error)}", key=key) from error


def _set_weights(net: keras.Model, base: str, weights: Any) -> None:
    """Put weights into a base: a file in Keras' formats, or arrays. Raises ConfigError when they do not fit."""
    if weights is None:
        return
    if isinstance(weights, str):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that stay as they are
                net.load_weights(weights)
        except (ValueError, KeyError, OSError, UserWarning) as error:
            raise ConfigError(
                f"the weights do not fit the base {base}: {first_line(error)}",
                key=("model", "weights"),
                received=weights,
                expected=f"weights without the top, for {net.count_params():,} parameters",
            ) from error
        return
    if [one.shape for one in weights] != [one.shape for one in net.get_weights()]:
        raise ConfigError(f"the weights have other shapes than those of the base {base}", key=("model", "weights"))
    net.set_weights(weights)


def _scaled(pixels: Any, scaling: Scaling) -> Any:
    """Pixels 0 to 1 as `preprocess_input` of the base gives them from bytes."""
    if scaling == "tf":
        return keras.layers.Rescaling(2.0, -1.0, name="preprocessing")(pixels)
    if scaling == "bytes":
        return keras.layers.Rescaling(255.0, name="preprocessing")(pixels)
    if scaling == "torch":
        scale = [1 / deviation for deviation in _DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)]
        return keras.layers.Rescaling(scale, offset, name="preprocessing")(pixels)
    return keras.layers.Rescaling(255.0, [-mean for mean in _BGR_MEAN], name="preprocessing")(
        keras.ops.flip(pixels, axis=-1)
    )

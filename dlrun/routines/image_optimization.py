"""Neural style transfer: the content of one picture in the style of another (DLwP 8.3, after Gatys et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from scipy.optimize import fmin_l_bfgs_b

import dlrun
from dlrun.engine.compiling import make_optimizer
from dlrun.engine.execution import Outcome
from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.looping import LoopRecorder, State
from dlrun.engine.resolve import Experiment
from dlrun.engine.signals import stop_on_signals
from dlrun.errors import ConfigError
from dlrun.routines._pictures import given_pictures, looking_net, maps_of, named_layers, write_picture
from dlrun.spec import Count

TERMS = ("content", "style", "total_variation")
_CONTENT, _STYLE = ("routine", "content_layer"), ("routine", "style_layers")
_VARIATION_POWER = 1.25  # listing 8-19


@dataclass(frozen=True)
class Wanted:
    """What the picture shall become like: maps of the content, Gram matrices of the style by layer, and weights by
    TERMS.
    """

    content_layer: str
    content: Any
    style: Mapping[str, Any]
    weights: Mapping[str, float]
    normalization: str


Evaluate = Callable[[Any], tuple[Any, Any]]  # a picture (1, height, width, 3), 0 to 255, to its terms and the slope
Iterate = Callable[[State], State]


@dlrun.routine("image_optimization")
def image_optimization(
    experiment: Experiment,
    *,
    content_layer: str,
    style_layers: list[str],
    content_weight: float = 0.025,
    style_weight: float = 1.0,
    total_variation_weight: float = 1e-4,
    normalization: Literal["book", "sizes"] = "book",
    method: Literal["lbfgs", "keras"] = "lbfgs",
    evaluations: Count = 20,
) -> Outcome:
    """Change a picture until a base sees the content of the first and the style of the second in it.

    `training.epochs` counts iterations: each is a row of `history.csv` with every term of the loss, and a picture in
    `artefacts/style`. It starts from the content. Trains no weights. Defaults are the book's (DLwP, listings 8-14 to
    8-22).

    `content_layer`: whose maps shall stay. `style_layers`: whose Gram matrices shall become those of the style; each
    has an equal share of `style_weight`. `normalization`: `book` adds up the squares of the content and of neighbouring
    pixels, and divides those of Gram matrices by the picture's channels and size at all layers; `sizes` divides by each
    layer's own channels and size, as the paper does, and by the sizes of the maps and of the picture, so that weights
    mean the same for every size. `method`: SciPy's L-BFGS, begun anew in each iteration, or the config's `optimizer`.
    `evaluations`: of the loss in an iteration.
    """
    content, style = given_pictures(experiment, ["the content", "the style"])
    if not style_layers:
        raise ConfigError("no layers for the style are named", key=_STYLE)
    model = looking_net(experiment)
    monitor = experiment.config.monitor.model_copy(update={"metric": "loss", "mode": "min"})
    experiment.settle(monitor=monitor)
    weights = dict(zip(TERMS, (content_weight, style_weight, total_variation_weight), strict=True))
    wanted = _wanted(model, content, style, (content_layer, style_layers), weights, normalization)
    evaluate = _evaluate(model, wanted)
    with stop_on_signals() as stop_asked:
        recorder = LoopRecorder(experiment, stop_asked=stop_asked.is_set)
        recorder.announce(model.count_params(), "min")
        iterate = _by_lbfgs(evaluate, evaluations, recorder)
        state: State = {"picture": content[None].astype("float64")}
        if method == "keras":
            iterate, state = _by_keras(evaluate, evaluations, recorder, experiment, state)
        try:
            _improve(experiment, evaluate, iterate, recorder, recorder.state or state)
            recorder.write()
        finally:
            recorder.close()
    return Outcome(recorder.progress, "loss", "min", model.count_params())


def _wanted(
    model: keras.Model,
    content: np.ndarray,
    style: np.ndarray,
    layers: tuple[str, Sequence[str]],
    weights: Mapping[str, float],
    normalization: str,
) -> Wanted:
    """The maps of the content and the Gram matrices of the style, computed once. Raises ConfigError."""
    content_layer, style_layers = layers
    of_content = named_layers(model, [content_layer], _CONTENT)
    of_style = named_layers(model, style_layers, _STYLE)
    maps = _maps(model, content, of_content, _CONTENT)[content_layer]
    grams = {name: gram(found) for name, found in _maps(model, style, of_style, _STYLE).items()}
    return Wanted(content_layer, maps, grams, weights, normalization)


def _maps(model: keras.Model, picture: np.ndarray, layers: Mapping[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
    """What layers give for a picture `(height, width, 3)`, 0 to 255: `(1, height, width, channels)` each."""
    run = compiled(lambda pixels: maps_of(model, pixels / 255, layers), model)
    found: dict[str, Any] = run(keras.ops.convert_to_tensor(picture[None].astype("float32")))
    for name in layers:
        if name not in found or len(found[name].shape) != 4:
            raise ConfigError(f"the layer {name!r} gives no maps that the net's output depends on", key=key)
    return found


def gram(maps: Any) -> Any:
    """The Gram matrix `(channels, channels)` of maps `(1, height, width, channels)`: how channels go together, summed
    over all places (DLwP, listing 8-18).
    """
    flat = keras.ops.reshape(maps, (-1, maps.shape[-1]))
    return keras.ops.matmul(keras.ops.transpose(flat), flat)


def losses(picture: Any, maps: Mapping[str, Any], wanted: Wanted) -> list[Any]:
    """The weighted terms of the loss in the order of TERMS, for a picture `(1, height, width, 3)`, 0 to 255, and what
    the layers give for it.
    """
    by_size = wanted.normalization == "sizes"
    here = maps[wanted.content_layer]
    content = _sum_of_squares(here - wanted.content) / (float(np.prod(here.shape)) if by_size else 1.0)
    pixels = float(picture.shape[1] * picture.shape[2])
    style = 0.0
    for name, target in wanted.style.items():
        places = float(maps[name].shape[1] * maps[name].shape[2]) if by_size else pixels
        channels = float(maps[name].shape[3]) if by_size else 3.0
        squares = _sum_of_squares(gram(maps[name]) - target)
        style = style + squares / (4.0 * channels**2 * places**2) / len(wanted.style)
    variation = total_variation(picture) / (pixels if by_size else 1.0)
    return [wanted.weights[name] * term for name, term in zip(TERMS, (content, style, variation), strict=True)]


def total_variation(picture: Any) -> Any:
    """How much neighbouring pixels of `(1, height, width, 3)` differ: the sum over all of (down² + right²) ** 1.25
    (DLwP, listing 8-19).
    """
    down = keras.ops.square(picture[:, :-1, :-1] - picture[:, 1:, :-1])
    right = keras.ops.square(picture[:, :-1, :-1] - picture[:, :-1, 1:])
    return keras.ops.sum(keras.ops.power(down + right, _VARIATION_POWER))


def _sum_of_squares(values: Any) -> Any:
    return keras.ops.sum(keras.ops.square(values))


def _evaluate(model: keras.Model, wanted: Wanted) -> Evaluate:
    """The compiled loss of a picture: its terms `(3,)` and the slope of their sum, both in one pass."""
    names = [wanted.content_layer, *wanted.style]
    layers = named_layers(model, list(dict.fromkeys(names)), _STYLE)

    def loss(picture: Any) -> tuple[Any, Any]:
        terms = losses(picture, maps_of(model, picture / 255, layers), wanted)
        return sum(terms), keras.ops.stack(terms)

    def evaluate(picture: Any) -> tuple[Any, Any]:
        slope, terms = gradient(loss, picture)
        return terms, slope

    return compiled(evaluate, model)


def _by_lbfgs(evaluate: Evaluate, evaluations: int, recorder: LoopRecorder) -> Iterate:
    """An iteration by SciPy, which begins anew each time, so that the picture is all that the next one depends on."""

    def iterate(state: State) -> State:
        shape = state["picture"].shape

        def loss_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
            recorder.check_stop()
            terms, slope = evaluate(keras.ops.convert_to_tensor(flat.reshape(shape).astype("float32")))
            slopes = np.asarray(keras.ops.convert_to_numpy(slope), "float64")
            return float(keras.ops.convert_to_numpy(terms).astype("float64").sum()), slopes.ravel()

        found, _, _ = fmin_l_bfgs_b(loss_and_slope, state["picture"].ravel(), maxfun=evaluations)
        return {"picture": found.reshape(shape)}

    return iterate


def _by_keras(
    evaluate: Evaluate, evaluations: int, recorder: LoopRecorder, experiment: Experiment, start: State
) -> tuple[Iterate, State]:
    """An iteration by steps of the config's optimizer, whose variables are part of the state."""
    optimizer = make_optimizer(experiment.config.optimizer)
    picture = keras.Variable(start["picture"].astype("float32"), name="picture")
    optimizer.build([picture])

    def taken() -> State:
        own = {f"optimizer/{place}": variable for place, variable in enumerate(optimizer.variables)}
        return {name: keras.ops.convert_to_numpy(value) for name, value in {"picture": picture, **own}.items()}

    def iterate(state: State) -> State:
        picture.assign(state["picture"])
        for place, variable in enumerate(optimizer.variables):
            variable.assign(state[f"optimizer/{place}"])
        for _ in range(evaluations):
            recorder.check_stop()
            optimizer.apply([evaluate(picture.value)[1]], [picture])
        return taken()

    return iterate, taken()


def _improve(
    experiment: Experiment, evaluate: Evaluate, iterate: Iterate, recorder: LoopRecorder, state: State
) -> None:
    """All iterations from a state on. Raises Interrupted, TrainingError."""
    recorder.keep(state)
    for number in range(recorder.progress.epochs + 1, experiment.config.training.epochs + 1):
        state = iterate(state)
        terms, _ = evaluate(keras.ops.convert_to_tensor(state["picture"].astype("float32")))
        values = keras.ops.convert_to_numpy(terms).astype("float64").tolist()
        row = {"loss": sum(values), **dict(zip(TERMS, values, strict=True))}
        recorder.check_finite(row)
        name = f"style/iteration-{number:03d}.png"
        write_picture(experiment, state["picture"][0], name, "style transfer", epoch=number)
        recorder.end_iteration(row, state)

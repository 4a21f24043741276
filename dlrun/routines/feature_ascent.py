"""DeepDream: a picture changes so that layers of a net answer more to it (DLwP 8.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from scipy import ndimage

import dlrun
from dlrun.engine.execution import Outcome
from dlrun.engine.gradients import compiled, gradient
from dlrun.engine.looping import LoopRecorder, State
from dlrun.engine.resolve import Experiment
from dlrun.engine.signals import stop_on_signals
from dlrun.errors import ConfigError, TrainingError
from dlrun.events import Note
from dlrun.routines._pictures import given_pictures, looking_net, maps_of, named_layers, write_picture
from dlrun.spec import Count, Row

_KEY, _MAX_LOSS = ("routine", "layers"), ("routine", "max_loss")
_LEAST_SLOPE = 1e-7  # listing 8-11
_SMALLEST = 32  # pixels of a side that any base has maps for

Climb = Callable[[Any], tuple[Any, Any, Any]]  # a picture to its losses by layer, the direction up, and the mean slope


@dataclass(frozen=True)
class _Plan:
    """What stays the same in all octaves; `shapes` are `(height, width)`, the smallest first."""

    layers: list[str]
    original: np.ndarray
    shapes: list[tuple[int, int]]
    iterations: int
    step: float
    max_loss: float | None


@dlrun.routine("feature_ascent")
def feature_ascent(
    experiment: Experiment,
    *,
    layers: dict[str, float],
    step: float = 0.005,
    iterations: Count = 20,
    octaves: Count = 3,
    octave_scale: float = 1.4,
    max_loss: float | None = 10.0,
    border: Row = 2,
    normalization: Literal["book", "cropped"] = "book",
) -> Outcome:
    """Dream: climb with the pixels of one picture to what layers of a base answer to, from small to full size.

    Each iteration is a row of `history.csv`, with the part of each layer in the loss; each octave leaves a picture in
    `artefacts/dream`. Trains no weights. Defaults are the book's (DLwP, listings 8-9 to 8-12).

    `layers`: names of layers and their weights in the loss. `step`: how far the pixels, 0 to 1, move on average; the
    book's 0.01 is of a range of -1 to 1. `iterations`: in each octave. `octaves`: sizes; each is `octave_scale` times
    the one before, and gets back the detail that shrinking has lost. `max_loss`: ends an octave. `border`: pixels of
    the maps that are left out on each side. `normalization`: `book` divides the squares inside the border by the size
    of the whole map, `cropped` by that of what they were taken from.
    """
    (picture,) = given_pictures(experiment, ["the picture that changes"])
    if not layers:
        raise ConfigError("no layers are named", key=_KEY, hint="layers: {NAME: 1.0}")
    if octave_scale <= 1:
        raise ConfigError("octaves do not grow", key=("routine", "octave_scale"), expected="more than 1")
    shapes = octave_shapes(picture.shape[:2], octaves, octave_scale)
    _check_epochs(experiment, octaves * iterations)
    model = looking_net(experiment)
    climb = _climb(model, layers, border, normalization)
    plan = _Plan(list(layers), picture[None].astype("float32") / 255, shapes, iterations, step, max_loss)
    with stop_on_signals() as stop_asked:
        recorder = LoopRecorder(experiment, stop_asked=stop_asked.is_set)
        recorder.announce(model.count_params(), "max")
        try:
            _dream(experiment, plan, climb, recorder)
            recorder.write()
        finally:
            recorder.close()
    return Outcome(recorder.progress, "loss", "max", model.count_params())


def octave_shapes(shape: tuple[int, ...], octaves: int, scale: float) -> list[tuple[int, int]]:
    """Height and width of each octave, the smallest first (DLwP, listing 8-12). Raises ConfigError for a tiny one."""
    shapes = [(int(shape[0] / scale**power), int(shape[1] / scale**power)) for power in reversed(range(octaves))]
    if min(shapes[0]) < _SMALLEST:
        raise ConfigError(
            f"the smallest octave is {shapes[0][1]} x {shapes[0][0]} pixels",
            key=("routine", "octaves"),
            received=f"{octaves} octaves from {shape[1]} x {shape[0]}",
            expected=f"{_SMALLEST} pixels a side",
            hint="a larger picture, or fewer octaves",
        )
    return shapes


def _check_epochs(experiment: Experiment, iterations: int) -> None:
    """An epoch is an iteration: their number follows from the octaves. Raises ConfigError when a dream that goes on
    shall have another.
    """
    training = experiment.config.training
    if training.epochs != iterations and experiment.config.place(("training", "epochs")) and not experiment.resume:
        experiment.emit(Note(f"training.epochs has no say here: {iterations} steps follow from the octaves"))
    if experiment.resume and training.epochs != iterations:
        raise ConfigError(
            f"a dream has octaves x iterations steps, {iterations}",
            key=("training", "epochs"),
            received=str(training.epochs),
            hint="start a new run for more",
        )
    monitor = experiment.config.monitor.model_copy(update={"metric": "loss", "mode": "max"})
    experiment.settle(training=training.model_copy(update={"epochs": iterations}), monitor=monitor)


def _climb(model: keras.Model, weights: Mapping[str, float], border: int, normalization: str) -> Climb:
    """The compiled step for pictures `(1, height, width, 3)`: what each layer gives to the loss `(layers,)`, and the
    slope divided by its mean absolute value, which comes third.
    """
    layers = named_layers(model, list(weights), _KEY)

    def losses(picture: Any) -> tuple[Any, Any]:
        maps = maps_of(model, picture, layers)
        parts = [weight * _answer(name, maps.get(name), border, normalization) for name, weight in weights.items()]
        return sum(parts), keras.ops.stack(parts)

    def climb(picture: Any) -> tuple[Any, Any, Any]:
        slope, parts = gradient(losses, picture)
        mean = keras.ops.mean(keras.ops.absolute(slope))
        return parts, slope / keras.ops.maximum(mean, _LEAST_SLOPE), mean

    return compiled(climb, model)


def _answer(name: str, maps: Any, border: int, normalization: str) -> Any:
    """The mean square of a layer's maps `(1, height, width, channels)` without their border (DLwP, listing 8-10)."""
    if maps is None or len(maps.shape) != 4:
        raise ConfigError(f"the layer {name!r} gives no maps that the net's output depends on", key=_KEY)
    if min(maps.shape[1:3]) <= 2 * border:
        raise ConfigError(
            f"the maps of {name!r} are no larger than their border",
            key=("routine", "border"),
            received=f"maps of {maps.shape[2]} x {maps.shape[1]} in the smallest octave, a border of {border}",
            hint="a larger picture, fewer octaves, a smaller border or an earlier layer",
        )
    inside = maps[:, border : maps.shape[1] - border, border : maps.shape[2] - border]
    size = np.prod(maps.shape if normalization == "book" else inside.shape)
    return keras.ops.sum(keras.ops.square(inside)) / float(size)


def _dream(experiment: Experiment, plan: _Plan, climb: Climb, recorder: LoopRecorder) -> None:
    """Go on from the recorder's state, or begin with the smallest octave. Raises Interrupted, TrainingError."""
    state = recorder.state or _begin(plan, 0, plan.original)
    recorder.keep(state)
    for octave in range(int(state["octave"]), len(plan.shapes)):
        if octave > int(state["octave"]):
            state = _begin(plan, octave, state["picture"])
        height, width = plan.shapes[octave]
        of = f"octave {octave + 1} of {len(plan.shapes)}"
        experiment.emit(Note(f"{of}: {width} x {height} pixels"))
        reached = None
        while int(state["done"]) < plan.iterations and reached is None:
            state, reached = _iterate(plan, climb, recorder, state)
        if reached is not None:
            experiment.emit(Note(f"{of} ends after {int(state['done'])} iterations: the loss is {reached:.4g}"))
        state = {**state, "picture": state["picture"] + lost_detail(plan.original, plan.shapes, octave)}
        name = f"dream/octave-{octave + 1}-{width}x{height}.png"
        write_picture(experiment, state["picture"][0] * 255, name, "dream", epoch=recorder.progress.epochs)


def _begin(plan: _Plan, octave: int, picture: np.ndarray) -> State:
    """The state at the start of an octave, from the picture of the one before."""
    return {"picture": resize(picture, plan.shapes[octave]), "octave": np.array(octave), "done": np.array(0)}


def _iterate(plan: _Plan, climb: Climb, recorder: LoopRecorder, state: State) -> tuple[State, float | None]:
    """One step up, and None; or the same state and the loss that is above `max_loss`. Raises TrainingError,
    Interrupted.
    """
    recorder.check_stop()
    parts, direction, slope = map(keras.ops.convert_to_numpy, climb(keras.ops.convert_to_tensor(state["picture"])))
    loss, done, number = float(parts.sum()), int(state["done"]) + 1, recorder.progress.epochs + 1
    if plan.max_loss is not None and loss > plan.max_loss:
        if number > 1:
            return state, loss
        hint = f"a higher routine.max_loss, such as {2 * loss:.2g}, or null"
        raise TrainingError(f"the loss is {loss:.4g} from the start, above max_loss", key=_MAX_LOSS, hint=hint)
    if not slope:
        hint = "other layers, or weights other than 0"
        raise TrainingError("the layers do not answer to this picture: there is no slope to climb", key=_KEY, hint=hint)
    after = {**state, "picture": state["picture"] + np.float32(plan.step) * direction, "done": np.array(done)}
    row = {"loss": loss, **dict(zip(plan.layers, parts.tolist(), strict=True))}
    recorder.end_iteration(row, after)
    return after, None


def lost_detail(original: np.ndarray, shapes: Sequence[tuple[int, int]], octave: int) -> np.ndarray:
    """What the original `(1, height, width, 3)` has at the size of an octave and had not at that of the one before; 0
    at the smallest (DLwP, listing 8-12).
    """
    before = resize(original, shapes[max(0, octave - 1)])
    return resize(original, shapes[octave]) - resize(before, shapes[octave])


def resize(pictures: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pictures `(n, height, width, 3)` in another size, bilinear, as listing 8-13 has it; float32."""
    factors = (1, shape[0] / pictures.shape[1], shape[1] / pictures.shape[2], 1)
    return np.asarray(ndimage.zoom(pictures, factors, order=1), "float32")

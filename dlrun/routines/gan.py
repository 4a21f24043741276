"""A generator of pictures that learns from a discriminator (DLwP 8.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

import dlrun
from dlrun.config.schema import Component, Config, Monitor
from dlrun.data._dataset import Prepared
from dlrun.engine.artefacts import Artefact, ArtefactWriter, Write
from dlrun.engine.compiling import check_metric, make_optimizer, output_activation
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.feeding import Feeder
from dlrun.engine.generating import Generated, Request
from dlrun.engine.guard_rails import Finding, tell
from dlrun.engine.resolve import Experiment
from dlrun.errors import ConfigError, RunDirError
from dlrun.events import Note
from dlrun.routines._gan_model import LOSSES, SHARES, VARIANCES, Gan
from dlrun.routines._gan_watch import GanWatch
from dlrun.routines._picture_grid import draw_grid
from dlrun.seeds import child_seed
from dlrun.spec import Count, Fraction, Optimizer

LOGGED = (*LOSSES, *SHARES, *VARIANCES)
NETS = ("generator", "discriminator")
_LOOKED_AT = 256  # rows whose range is that of the data


@dlrun.routine("gan")
def gan(
    experiment: Experiment,
    *,
    discriminator_optimizer: Optimizer = None,
    label_noise: Fraction = 0.05,
    samples: Count = 16,
    samples_every_epochs: Count = 1,
) -> Outcome:
    """Train a generator and a discriminator against each other; the model holds both, as `dcgan` does.

    Each step trains the discriminator on as many generated pictures (label 1) as real ones (label 0), then the
    generator (DLwP listing 8-32). An epoch is one pass, or `training.steps_per_epoch` iterations. There is no best
    epoch: the last one counts.
    `discriminator_optimizer`: as `{RMSprop: {learning_rate: 8e-4}}`; empty: that of the section `optimizer`, which is
    the generator's. `label_noise`: up to so much is added to every label.
    `samples`: pictures of the same random numbers, drawn every `samples_every_epochs` epochs.
    """
    _check_config(experiment.config)
    experiment.data = _only_training(experiment)
    experiment.settle(monitor=_settled_monitor(experiment.config))
    config = experiment.config
    pair = experiment.build_model()
    _check_pair(pair, experiment.data)
    model = Gan(pair, label_noise=label_noise, seed=child_seed(config.training_seed, "gan"))
    model.compile(
        make_optimizer(config.optimizer),
        make_optimizer(_component(discriminator_optimizer) or config.optimizer),
        jit_compile=config.runtime.jit_compile,
    )
    low, high = _value_range(experiment.data)
    experiment.run.update(value_range=[low, high])
    tell(experiment, _range_findings(model.generator, low, high))
    latent = _latent(model.generator, samples, child_seed(config.training_seed, "latent"))
    write = _writer(model.generator, latent, low, high)
    experiment.callbacks += [
        GanWatch(experiment),
        ArtefactWriter(experiment.run, write, every_epochs=samples_every_epochs),
    ]
    assert config.monitor.metric is not None, "settled before"
    watched = (config.monitor.metric, config.monitor.mode)
    nets = {"generator": model.generator, "discriminator": model.discriminator}
    return train_model(model, experiment, monitor=watched, logged=LOGGED, saved_models=nets)


def generate(request: Request, *, samples: Count = 16) -> Generated:
    """Draw pictures of new random numbers with the generator of a run."""
    generator = request.model("generator")
    low, high = _stored_range(request)
    pictures = _pictures(generator, _latent(generator, samples, request.seed))
    path = draw_grid((pictures - low) / (high - low), request.folder / f"samples-{samples}.png")
    return Generated(files=[path], facts={"variance": float(pictures.var(axis=0).mean())})


def _check_config(config: Config) -> None:
    """Raise ConfigError for what cannot be done with two nets."""
    if config.runtime.strategy != "none":
        raise ConfigError("the routine `gan` trains on one device", key=("runtime", "strategy"), expected="none")
    if config.runtime.precision in ("float16", "mixed_float16"):
        raise ConfigError(
            "the gradients of two nets are not scaled, which float16 needs",
            key=("runtime", "precision"),
            expected="float32, or mixed_bfloat16",
        )


def _only_training(experiment: Experiment) -> Prepared:
    """The data without targets, and without the rows that would validate."""
    data = experiment.data.without_targets()
    left = len(data.splits.get("validation", ()))
    if left:
        text = f"nothing is validated in a GAN, so {left:,} rows are left out: split.validation: 0 trains on them, too"
        experiment.emit(Note(text))
    return replace(data, splits={name: rows for name, rows in data.splits.items() if name != "validation"})


def _settled_monitor(config: Config) -> Monitor:
    metric = config.monitor.metric or "adversarial_loss"
    check_metric(metric, LOGGED, ("monitor", "metric"), validated=False)
    mode = config.monitor.mode
    return Monitor(metric=metric, mode=("min" if metric in LOSSES else "max") if mode == "auto" else mode)


def _component(optimizer: Any) -> Component | None:
    """An optimizer as YAML has it inside a section, as the section `optimizer` is."""
    if optimizer is None:
        return None
    if isinstance(optimizer, str):
        return Component(name=optimizer)
    ((name, arguments),) = optimizer.items()
    return Component(name=name, **(arguments or {}))


def _check_pair(pair: keras.Model, data: Prepared) -> None:
    """Raise ConfigError unless the model holds a generator and a discriminator that fit each other and the data."""
    key = ("model", "name")
    found = {layer.name: layer for layer in pair.layers if isinstance(layer, keras.Model)}
    if missing := [name for name in NETS if name not in found]:
        raise ConfigError(
            f"the model {pair.name!r} holds no {' and no '.join(missing)}",
            key=key,
            received=", ".join(layer.name for layer in pair.layers),
            expected="two models inside it by these names, as in `model: dcgan`",
        )
    made, wanted = found["generator"].output_shape[1:], [tuple(one.shape) for one in data.spec.inputs.values()]
    if [made] != wanted:
        given = ", ".join(map(str, wanted))
        raise ConfigError(f"the generator makes {made}, and the data has {given}", key=key)
    judged = found["discriminator"]
    activation = output_activation(judged.output)
    if judged.output_shape[1:] != (1,) or activation not in ("sigmoid", "hard_sigmoid", None):
        received = f"{judged.output_shape[1:]} with {activation}"
        raise ConfigError("the discriminator gives no judgement", key=key, received=received, expected="1 sigmoid unit")


def _value_range(data: Prepared) -> tuple[float, float]:
    """0 to 1 or -1 to 1 where the first training rows lie within, else their own range."""
    rows = data.splits["training"][:_LOOKED_AT]
    values = keras.ops.convert_to_numpy(Feeder.of(data).inputs(rows))
    low, high = float(values.min()), float(values.max())
    return next(((least, 1.0) for least in (0.0, -1.0) if least <= low and high <= 1), (low, max(high, low + 1e-6)))


def _range_findings(generator: keras.Model, low: float, high: float) -> list[Finding]:
    """A generator whose last activation gives another range than the data has."""
    reach = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}.get(output_activation(generator.output) or "", (low, high))
    if reach == (low, high):
        return []
    text = (
        f"the generator gives {reach[0]:g} to {reach[1]:g}, and the data has {low:g} to {high:g}, as DLwP 8.5 prints it"
    )
    return [Finding("range", f"{text}; data.centred or model.output_activation can make them equal")]


def _latent(generator: keras.Model, count: int, seed: int) -> np.ndarray:
    """Random numbers `(count, ...)` for so many pictures, from NumPy's generator: the model's own is not touched."""
    shape = (count, *generator.input_shape[1:])
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def _pictures(generator: keras.Model, latent: np.ndarray, batch_size: int = 32) -> np.ndarray:
    parts = (latent[at : at + batch_size] for at in range(0, len(latent), batch_size))
    return np.concatenate([keras.ops.convert_to_numpy(generator(part, training=False)) for part in parts])


def _writer(generator: keras.Model, latent: np.ndarray, low: float, high: float) -> Write:
    def write(epoch: int, folder: Path) -> Sequence[Artefact]:
        pictures = (_pictures(generator, latent) - low) / (high - low)
        path = draw_grid(pictures, folder / f"samples-{epoch:04d}.png")
        return [Artefact(path, "generated from the same random numbers")]

    return write


def _stored_range(request: Request) -> tuple[float, float]:
    found = request.run.record().get("value_range")
    if not isinstance(found, list) or len(found) != 2:
        raise RunDirError(f"{request.run.record_file} does not tell the range of the pictures (value_range)")
    return float(found[0]), float(found[1])

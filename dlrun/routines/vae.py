"""Autoencoders: pictures through a code of a few numbers and back, and new pictures from new codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np

import dlrun
from dlrun.data._dataset import Prepared
from dlrun.drawing import draw_codes
from dlrun.engine.artefacts import Artefact, ArtefactWriter, list_artefacts
from dlrun.engine.compiling import check_metric, make_optimizer
from dlrun.engine.execution import Outcome, train_model
from dlrun.engine.feeding import Feeder
from dlrun.engine.generating import Generated, Request
from dlrun.engine.guard_rails import Finding, tell
from dlrun.engine.model_files import load_model
from dlrun.engine.pipelines import batches_in_order
from dlrun.engine.resolve import Experiment, load_data
from dlrun.engine.saving import replacing
from dlrun.errors import ConfigError
from dlrun.files import make_folder
from dlrun.models.autoencoder import Autoencoder
from dlrun.routines._codes import BATCH_SIZE, codes_of, decoded, labels_of, measure_codes, pictures_of, some_of
from dlrun.routines._latent_walks import SHARES, STEPS, Walk, normal_codes, two_labels
from dlrun.routines._picture_grid import draw_grid
from dlrun.spec import Count

MOST_POINTS = 5_000  # of a scatter
SHOWN = 10  # pictures with their reconstructions


@dlrun.routine("vae")
def vae(
    experiment: Experiment, *, kl_weight: float = 5e-4, grid: Count = 15, pictures_every_epochs: Count = 1
) -> Outcome:
    """Train the model `autoencoder` to give its inputs back; targets of the data only colour and measure the codes.

    `kl_weight` is the factor of the KL term (DLwP listing 8-26; a plain autoencoder has no such term). After every
    `pictures_every_epochs` the latent space is drawn: decoded codes, `grid` a side, and the codes of validation rows.
    """
    if not kl_weight >= 0:
        raise ConfigError("a KL term of this weight drives codes apart", key=("routine", "kl_weight"), expected=">= 0")
    labelled = experiment.data
    experiment.data = labelled.without_targets()
    _check_values(experiment.data)
    model = experiment.build_model()
    if not isinstance(model, Autoencoder):
        raise ConfigError(
            "the routine `vae` trains an encoder and a decoder", key=("model", "name"), expected="autoencoder"
        )
    model.kl_weight = kl_weight
    model.compile(make_optimizer(experiment.config.optimizer), jit_compile=experiment.config.runtime.jit_compile)
    model.optimizer.build(model.trainable_variables)
    monitor = _settle_monitor(experiment, model)
    pictures = LatentPictures(model, labelled, grid)
    experiment.callbacks.append(ArtefactWriter(experiment.run, pictures.write, every_epochs=pictures_every_epochs))
    models = {"": model, "encoder": model.encoder, "decoder": model.decoder}
    outcome = train_model(model, experiment, monitor=monitor, saved_models=models)
    return _measured(experiment, labelled, outcome)


def _check_values(data: Prepared) -> None:
    """Raise ConfigError for pictures that no sigmoid can give back."""
    rows = some_of(data.splits["training"], 256)
    if len(data.spec.inputs) == 1 and len(data.spec.input.shape) == 3:
        values = pictures_of(data, rows)
        if values.min() < 0 or values.max() > 1:
            raise ConfigError(
                "the routine `vae` gives back pictures with values from 0 to 1",
                key=("data",),
                received=f"values from {values.min():g} to {values.max():g}",
            )


def _settle_monitor(experiment: Experiment, model: Autoencoder) -> tuple[str, str]:
    """The metric that tells the best epoch, `val_loss` unless stated. Raises ConfigError when it is not logged."""
    validated = "validation" in experiment.data.splits
    names = ["loss", "reconstruction", *(["kl"] if model.kl else [])]
    monitor = experiment.config.monitor
    metric = monitor.metric or ("val_loss" if validated else "loss")
    known = [*(f"val_{name}" for name in names if validated), *names]
    check_metric(metric, known, ("monitor", "metric"), validated=validated)
    mode = "min" if monitor.mode == "auto" else monitor.mode
    experiment.settle(monitor=monitor.model_copy(update={"metric": metric, "mode": mode}))
    return metric, mode


def latent_grid(model: Autoencoder, codes: np.ndarray, side: int) -> np.ndarray:
    """Codes on a grid over the first two axes, `(side * side, latent_dim)`; `(side, latent_dim)` for one axis.

    On each axis they stand at quantiles from 0.05 to 0.95: those of the normal distribution (DLwP listing 8-28), or,
    of a plain autoencoder, those of its `codes`. Other axes stay in the middle.
    """
    shares = np.linspace(0.05, 0.95, side)
    size = codes.shape[1]
    if model.sampling is None:
        middle, axes = np.median(codes, axis=0), np.quantile(codes, shares, axis=0).T
    else:
        middle, axes = np.zeros(size), np.tile([NormalDist().inv_cdf(share) for share in shares], (size, 1))
    if size == 1:
        return axes.T.astype("float32")
    found = np.tile(middle, (side * side, 1))
    found[:, 0], found[:, 1] = np.tile(axes[0], side), np.repeat(axes[1], side)
    return found.astype("float32")


class LatentPictures:
    """Draws the latent space of a model after an epoch; labels give the points their colours."""

    def __init__(self, model: Autoencoder, data: Prepared, side: int) -> None:
        self._model, self._data, self._side = model, data, side
        self._part = "validation" if "validation" in data.splits else "training"
        self._rows = some_of(data.splits[self._part], MOST_POINTS)
        labels, self._names = labels_of(data)
        self._labels = None if labels is None else labels[self._rows]

    def write(self, epoch: int, folder: Path) -> list[Artefact]:
        """The grid of decoded codes, and where the codes of rows lie."""
        grid, scatter = (folder / f"{name}-epoch-{epoch:03d}.png" for name in ("latent_grid", "latent_codes"))
        codes = codes_of(self._model.encoder, self._data, self._rows)
        points = latent_grid(self._model, codes, self._side)
        draw_grid(decoded(self._model.decoder, points), grid, columns=self._side)
        with replacing(scatter) as temporary:
            draw_codes(codes, self._labels, self._names, temporary)
        return [Artefact(grid, "latent grid"), Artefact(scatter, f"codes of {self._part} rows, by label")]


def _measured(experiment: Experiment, data: Prepared, outcome: Outcome) -> Outcome:
    """The outcome with the figures of the best weights; pictures of these; a note of a code that has collapsed."""
    run = experiment.run
    encoder, decoder = (load_model(run.model_file("best", name)) for name in ("encoder", "decoder"))
    split = "validation" if "validation" in data.splits else "training"
    figures, levels = measure_codes(encoder, decoder, data, split, experiment.config.seed)
    size = decoder.input_shape[-1]
    if figures["active_axes"] < size:
        tell(experiment, [collapse(int(figures["active_axes"]), size)])
    list_artefacts(run, write_reconstructions(encoder, decoder, data, make_folder(run.artefacts)))
    codes = codes_of(encoder, data, some_of(data.splits["training"], MOST_POINTS))
    run.update(codes={"mean": codes.mean(axis=0).tolist(), "std": codes.std(axis=0).tolist()})
    return replace(outcome, measures=figures, levels=levels)


def measure(model: keras.Model, data: Prepared, split: str, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """What `dlrun evaluate` tells of a part: the loss with its terms, and the figures of the codes beside baselines."""
    if not isinstance(model, Autoencoder):
        raise ConfigError(
            f"evaluate measures an autoencoder, and this model is {model.name!r}",
            hint="name best.keras or last.keras: encoder and decoder are parts of it",
        )
    model.compile()
    feeder = Feeder.of(data.without_targets())
    losses = model.evaluate(batches_in_order(feeder, data.splits[split], BATCH_SIZE), verbose=0, return_dict=True)
    figures, levels = measure_codes(model.encoder, model.decoder, data, split, seed)
    return {"loss": losses.pop("loss"), **losses, **figures}, levels


def collapse(active: int, size: int) -> Finding:
    """Axes of the code that say nothing of the picture."""
    return Finding(
        "collapse",
        f"{active} of {size} axes of the code vary from picture to picture: the decoder does without the others; "
        "try a smaller routine.kl_weight, or fewer axes (model.latent_dim)",
    )


def write_reconstructions(encoder: keras.Model, decoder: keras.Model, data: Prepared, folder: Path) -> list[Artefact]:
    """Rows above what comes back, and the straight ways from each second one to the next through the codes."""
    part = "validation" if "validation" in data.splits else "training"
    rows = some_of(data.splits[part], SHOWN)
    pictures, codes = pictures_of(data, rows), codes_of(encoder, data, rows)
    beside, between = folder / "reconstructions.png", folder / "interpolation.png"
    draw_grid(np.concatenate([pictures, decoded(decoder, codes)]), beside, columns=len(rows))
    written = [Artefact(beside, f"pictures of {part}, and below them what comes back")]
    if ways := [np.linspace(*pair, STEPS) for pair in zip(codes[:-1:2], codes[1::2], strict=True)]:
        draw_grid(decoded(decoder, np.concatenate(ways)), between, columns=STEPS)
        written.append(Artefact(between, "straight ways from one code to another"))
    return written


def generate(
    request: Request, *, samples: Count = 16, interpolate: str | None = None, concept: str | None = None
) -> Generated:
    """Decode random codes; or the straight ways from pictures of a class A to such of B (`interpolate: A,B`); or
    pictures of A with the mean difference between the codes of B and A added (`concept: A,B`).
    """
    if interpolate is not None and concept is not None:
        raise ConfigError("--interpolate and --concept are two ways; take one of them")
    decoder = request.model("decoder")
    if interpolate is None and concept is None:
        plain = request.config.model is not None and request.config.model.parameters.get("sampling") == "none"
        spread = request.run.record().get("codes") if plain else None
        codes = normal_codes(samples, request.seed, spread, decoder.input_shape[-1])
        path = draw_grid(decoded(decoder, codes), request.folder / f"samples-{samples}.png")
        return Generated(files=[path], facts={"codes": codes.tolist()})
    data = load_data(request.config, request.saved)
    option, text = ("--concept", concept) if interpolate is None else ("--interpolate", interpolate)
    labels = two_labels(data, option, str(text))
    walk = Walk(request.model("encoder"), decoder, data, labels, request.seed)
    names = [labels_of(data)[1][label] for label in labels]
    if concept is None:
        path = request.folder / "interpolation.png"
        return Generated(files=[draw_grid(walk.between(samples), path, columns=STEPS)], facts={"classes": names})
    path = draw_grid(walk.along(samples), request.folder / "concept.png", columns=1 + len(SHARES))
    facts = {"classes": names, "direction": walk.direction.tolist(), "taken_for_the_second": walk.arrivals()}
    return Generated(files=[path], facts=facts)

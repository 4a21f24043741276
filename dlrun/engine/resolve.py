"""From names to builders: the experiment that a routine works on."""

from __future__ import annotations

import contextlib
import inspect
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from dlrun import environment
from dlrun.config.dumping import dump_config
from dlrun.config.schema import Component, Config
from dlrun.data._dataset import Dataset, Prepared
from dlrun.data._prepare import prepare_dataset, read_dataset
from dlrun.data._saved import Saved
from dlrun.data_places import data_context
from dlrun.engine.base_weights import with_base_weights
from dlrun.engine.pretrained import with_word_vectors
from dlrun.engine.saving import loading_trouble
from dlrun.engine.session import Session, start_session
from dlrun.errors import ConfigError, DlrunError, Key
from dlrun.events import Note, OnEvent
from dlrun.files import first_line, make_folder, write_text
from dlrun.registry import CALLBACKS, DATASETS, MODELS, ROUTINES, load_plugin
from dlrun.run_dir import RunDir
from dlrun.spec import DataSpec


@dataclass
class Experiment:
    """A resolved config with its data and its run: what dlrun supplies to a routine.

    `resume` says that the run continues from its newest checkpoint; `callbacks` are those that a routine adds to the
    config's, behind them.
    """

    config: Config
    run: RunDir
    data: Prepared
    emit: OnEvent
    resume: bool = False
    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)

    def settle(self, **sections: Any) -> None:
        """Decide what the config left open (loss, monitor, ...), for this run and in its `config.yaml`."""
        self.config = self.config.model_copy(update=sections)
        for file in (self.run.config_file, self.run.trained_config_file):
            make_folder(file.parent)
            write_text(file, dump_config(self.config))

    def build_model(self) -> keras.Model:
        """A fresh, untrained model. Raises ConfigError with the place in the YAML."""
        if self.config.model is None:
            raise ConfigError("this routine needs a model", key=("model",), hint="dlrun list models")
        component, covered = with_word_vectors(self.config, self.data)
        component, weights = with_base_weights(component, self.config, self.data.spec)
        model = build_model(component, self.data.spec)
        if weights:
            self.run.update(base_weights=weights)
        for coverage in covered:
            self.emit(Note(str(coverage)))
        if covered:
            self.run.update(word_vectors=[coverage.record() for coverage in covered])
        if trouble := loading_trouble(model):
            self.emit(Note(f"best.keras will not be loadable, so evaluate and predict will fail: {trouble}"))
        return model


@contextlib.contextmanager
def open_session(config: Config, *, shared: bool = False) -> Iterator[Session]:
    """Steps 2 to 4 of a run: environment, session, plugins and builders. Only when the work can be `shared` by devices
    does `runtime.strategy` count; whatever a run leaves behind works on one.

    What plugins print goes to stderr, since stdout is for results; errors raised inside get their place in the config.
    Raises DlrunError.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            environment.set_environment(config.runtime.backend, config.runtime.device)
            runtime = config.runtime if shared else config.runtime.model_copy(update={"strategy": "none"})
            session = start_session(runtime, config.training_seed)
            _check_shares(config, session.replicas)
            for plugin in config.plugins:
                load_plugin(plugin)
            builders(config)
            yield session
    except DlrunError as error:
        error.located(config.place)
        raise


def _check_shares(config: Config, replicas: int) -> None:
    """Raise ConfigError when devices cannot take equal shares of a batch: each counts the same in a step."""
    size = config.training.batch_size
    if size % replicas:
        raise ConfigError(
            f"training.batch_size is {size}, and {replicas} devices take equal shares of it",
            key=("training", "batch_size"),
            expected=f"a multiple of {replicas}",
            hint=f"try -s training.batch_size={size + replicas - size % replicas}",
        )


def builders(config: Config) -> dict[str, Callable[..., Any]]:
    """The builder behind each section that names one. Raises UnknownNameError."""
    found = {"data": DATASETS.get(config.data.name), "routine": ROUTINES.get(config.routine.name)}
    if config.model is not None:
        found["model"] = MODELS.get(config.model.name)
    own = [one.name for one in config.callbacks if not hasattr(keras.callbacks, one.name)]
    return found | {f"callbacks.{name}": CALLBACKS.get(name) for name in own}


def load_data(config: Config, fitted: Saved | None = None, *, dataset: Dataset | None = None) -> Prepared:
    """Step 6 of a run: locate, load, split, fit the encoder on the training part, or use what a run has `fitted`.

    `dataset` is what `read_data` gave, if that was called before. Raises DataError, and ConfigError when a plugin's
    dataset fails.
    """
    dataset = dataset or read_data(config)
    with _told_as_data(config):
        prepared = prepare_dataset(dataset, split=config.split.model_dump(), seed=config.seed, fitted=fitted)
    del dataset  # the raw rows are many small pieces
    environment.give_back_freed_memory()
    return prepared


def read_data(config: Config) -> Dataset:
    """The first half of `load_data`: the raw rows. Raises as it does."""
    with _told_as_data(config):
        return read_dataset(config.data.name, config.data.parameters, data_context(config))


@contextlib.contextmanager
def _told_as_data(config: Config) -> Iterator[None]:
    try:
        yield
    except DlrunError:
        raise
    except (Exception, SystemExit) as error:  # boundary: a dataset's code
        raise builder_error("data", config.data.name, DATASETS.get(config.data.name), error) from error


def settled_data(config: Config, data: Prepared) -> dict[str, Any]:
    """The sections `data` and `split` with what was left open: the folder of the files, the kind of split."""
    folder = config.data.dir or data_context(config).folder_of(data.files)
    return {
        "data": config.data.model_copy(update={"dir": folder}),
        "split": config.split.model_copy(update={"kind": data.split_kind}),
    }


def build_model(component: Component, spec: DataSpec) -> keras.Model:
    """Call a model builder. Its own errors become ConfigErrors that point at the section.

    Raises ConfigError.
    """
    builder = MODELS.get(component.name)
    try:
        model = builder(spec, **component.parameters)
    except DlrunError:
        raise
    except (Exception, SystemExit) as error:  # boundary: a builder's code
        raise builder_error("model", component.name, builder, error) from error
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"the builder {component.name!r} returned {type(model).__name__}",
            key=("model", "name"),
            expected="a keras.Model",
        )
    if not model.built:
        _call_once(model, spec)
    return model


def model_of(config: Config) -> keras.Model:
    """The model that a config builds on its data, untrained. Raises DlrunError."""
    with open_session(config):
        if config.model is None:
            raise ConfigError("the config has no model", key=("model",))
        data = load_data(config)
        component, _ = with_word_vectors(config, data)
        component, _ = with_base_weights(component, config, data.spec)
        return build_model(component, data.spec)


def _call_once(model: keras.Model, spec: DataSpec) -> None:
    """Build a model that does not know its inputs yet (a Sequential without Input) on a batch of one zero."""
    zeros = {
        name: keras.ops.zeros((1, *(n or 1 for n in one.shape)), dtype=one.dtype) for name, one in spec.inputs.items()
    }
    try:
        model(zeros if len(zeros) > 1 else next(iter(zeros.values())))
    except (Exception, SystemExit) as error:  # boundary: the user's model
        raise ConfigError(
            f"the model could not be called on one row of the data: {first_line(error)}",
            key=("model",),
        ) from error


def builder_error(
    section: str, name: str, builder: Callable[..., Any], error: BaseException, key: Key = ()
) -> ConfigError:
    """What a builder raised, told as a mistake of its section, or of the given key."""
    file = source_file(builder)
    kind = {"data": "dataset", "callbacks": "callback"}.get(section, section)
    return ConfigError(
        f"the {kind} {name!r} failed: {type(error).__name__}: {first_line(error)}",
        key=key or (section,),
        hint=f"raised at {_raised_in(error, file)}",
    )


def source_file(builder: Callable[..., Any]) -> Path:
    """The file a builder, function or class, was written in."""
    return Path(inspect.getsourcefile(inspect.unwrap(builder)) or "")


def _raised_in(error: BaseException, file: Path) -> str:
    """`file:line` of the innermost frame in the builder's own file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
    return f"{file}:{frames[-1].lineno}" if frames else str(file)


def keep_plugins(config: Config, run: RunDir) -> Config:
    """Copy the plugins into the run, each in a folder of its own; the returned config names the copies."""
    copies = []
    for number, plugin in enumerate(config.plugins):
        folder = run.plugins / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        copies.append(Path(shutil.copy2(plugin, folder / plugin.name)))
    return config.model_copy(update={"plugins": copies}) if copies else config

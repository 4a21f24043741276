"""From names to builders: the experiment that a routine works on."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dlrun import environment
from dlrun.config.dumping import dump_config
from dlrun.config.schema import Component, Config
from dlrun.data._dataset import Prepared
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.engine.session import Session, start_session
from dlrun.errors import ConfigError, DlrunError
from dlrun.events import OnEvent
from dlrun.registry import DATASETS, MODELS, ROUTINES, load_plugin
from dlrun.run_dir import RunDir, write_text
from dlrun.spec import DataSpec


@dataclass
class Experiment:
    """A resolved config with its data and its run: what dlrun supplies to a routine.

    `resume` says that the run continues from its newest checkpoint.
    """

    config: Config
    run: RunDir
    data: Prepared
    emit: OnEvent
    resume: bool = False

    def settle(self, **sections: Any) -> None:
        """Decide what the config left open (loss, monitor, ...), for this run and in its `config.yaml`."""
        self.config = self.config.model_copy(update=sections)
        write_text(self.run.config_file, dump_config(self.config))

    def build_model(self) -> keras.Model:
        """A fresh, untrained model. Raises ConfigError with the place in the YAML."""
        if self.config.model is None:
            raise ConfigError("this routine needs a model", key=("model",), hint="dlrun list models")
        return build_model(self.config.model, self.data.spec)


@contextmanager
def open_session(config: Config) -> Iterator[Session]:
    """Steps 2 to 4 of a run: environment, session, plugins and builders.

    Errors raised inside get their place in the config. Raises DlrunError.
    """
    try:
        environment.set_environment(config.runtime.backend, config.runtime.device)
        session = start_session(config.runtime, config.seed)
        for plugin in config.plugins:
            load_plugin(plugin)
        builders(config)
        yield session
    except DlrunError as error:
        error.located(config.place)
        raise


def builders(config: Config) -> dict[str, Callable[..., Any]]:
    """The builder behind each section that names one. Raises UnknownNameError."""
    found = {"data": DATASETS.get(config.data.name), "routine": ROUTINES.get(config.routine.name)}
    if config.model is not None:
        found["model"] = MODELS.get(config.model.name)
    return found


def load_data(config: Config) -> Prepared:
    """Step 6 of a run: locate, load, split, fit the encoder on the training part. Raises DataError."""
    split = config.split.model_dump()
    return prepare_data(
        config.data.name, config.data.parameters, context=_data_context(config), split=split, seed=config.seed
    )


def _data_context(config: Config) -> DataContext:
    place = config.place(("data", "path"))
    return DataContext(
        seed=config.seed,
        sample=config.data.sample,
        folders=[config.data.dir] if config.data.dir else [],
        config_folder=Path(place.source).parent if place else Path(),
    )


def settled_data(config: Config, data: Prepared) -> dict[str, Any]:
    """The sections `data` and `split` with what was left open: the folder of the files, the kind of split."""
    folder = config.data.dir or _data_context(config).folder_of(data.files)
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
    except Exception as error:  # boundary: a builder's code
        where = _raised_in(error, Path(builder.__code__.co_filename))
        raise ConfigError(
            f"the model {component.name!r} could not be built: {type(error).__name__}: {_first_line(error)}",
            key=("model",),
            hint=f"raised at {where}",
        ) from error
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"the builder {component.name!r} returned {type(model).__name__}",
            key=("model", "name"),
            expected="a keras.Model",
        )
    return model


def _raised_in(error: Exception, file: Path) -> str:
    """`file:line` of the innermost frame in the builder's own file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
    return f"{file}:{frames[-1].lineno}" if frames else str(file)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def keep_plugins(config: Config, run: RunDir) -> Config:
    """Copy the plugins into the run; the returned config names the copies."""
    copies = []
    for plugin in config.plugins:
        run.plugins.mkdir(exist_ok=True)
        copies.append(Path(shutil.copy2(plugin, run.plugins / plugin.name)))
    return config.model_copy(update={"plugins": copies}) if copies else config

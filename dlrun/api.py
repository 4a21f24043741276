"""What notebooks import: `from dlrun.api import load_config, train, evaluate, predict, load_run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlrun.config.finding import find_config
from dlrun.config.loading import load_config as _load_file
from dlrun.config.schema import Config
from dlrun.events import OnEvent, ignore
from dlrun.run_dir import RunDir, find_run

if TYPE_CHECKING:
    import keras

    from dlrun.engine.describing import ModelTable
    from dlrun.engine.generating import Generated
    from dlrun.evaluate import Evaluation
    from dlrun.predict import Predictions

OUTPUTS = Path("outputs")


def load_config(config: str | Path, *overrides: str) -> Config:
    """A config file, or a shipped config by name, with overrides such as `"model.hidden=[32]"`. Raises ConfigError."""
    return _load_file(find_config(str(config)), overrides)


def train(config: Config, *, outputs: Path | str = OUTPUTS, on_event: OnEvent = ignore) -> Run:
    """Train and return the run. Raises DlrunError."""
    _start_keras(config)
    from dlrun.train import train as run_train

    return Run(run_train(config, outputs=Path(outputs), on_event=on_event))


def load_run(run: str | Path, *, outputs: Path | str = OUTPUTS) -> Run:
    """A run by path, id, prefix of an id, config name, or `-` for the latest. Raises UnknownNameError."""
    return Run(find_run(str(run), Path(outputs)))


def evaluate(run: Run, *, split: str = "test", weights: str = "best") -> Evaluation:
    """Score a run; a reading of test is recorded in it. Raises DlrunError."""
    _start_keras(run.config)
    from dlrun.evaluate import evaluate as run_evaluate

    return run_evaluate(run.config, run.dir.model_file(weights), run=run.dir, split=split)


def predict(run: Run, *inputs: str | Path, weights: str = "best", split: str = "test") -> Predictions:
    """Predict raw input files, or without any the rows of a split. Raises DlrunError."""
    _start_keras(run.config)
    from dlrun.predict import predict as run_predict

    return run_predict(run.dir, run.config, [str(item) for item in inputs], weights=weights, split=split)


def summarise_config(config: Config) -> ModelTable:
    """The layers and parameter counts of the model that a config builds. Raises DlrunError."""
    _start_keras(config)
    from dlrun.rehearse import summarise

    return summarise(config)


def draw_model(model: Config | Run, file: Path) -> None:
    """Write the layers of a config's model, or of a run's best one, as an SVG. Raises DlrunError."""
    _start_keras(model if isinstance(model, Config) else model.config)
    from dlrun.draw_model import draw_config, draw_run

    if isinstance(model, Config):
        draw_config(model, file)
    else:
        draw_run(model.dir, model.config, file)


def _start_keras(config: Config) -> None:
    """Before the import of whatever needs Keras."""
    from dlrun.environment import import_keras

    import_keras(config.runtime.backend, config.runtime.device)


class Run:
    """A run on disk, as a notebook wants it."""

    def __init__(self, run: RunDir) -> None:
        self.dir = run

    @property
    def config(self) -> Config:
        return _load_file(self.dir.config_file)

    @property
    def history(self) -> list[dict[str, float]]:
        """One entry per epoch, the first epoch first."""
        return self.dir.history()

    @property
    def metrics(self) -> dict[str, Any]:
        return self.dir.metrics()

    @property
    def model(self) -> keras.Model:
        """The best model."""
        _start_keras(self.config)
        from dlrun.engine.model_files import load_model

        return load_model(self.dir.model_file("best"))

    def predict(self, x: Any, *, weights: str = "best") -> Any:
        """Predictions for raw inputs: a DataFrame, rows, an array, texts, images, or files; see docs/notebooks.md.

        A DataFrame gives a DataFrame with the same index, all else gives `Predictions`. Raises DlrunError.
        """
        _start_keras(self.config)
        from dlrun.predict import predict as run_predict

        found = run_predict(self.dir, self.config, values=x, weights=weights)
        return _as_frame(found, x) if hasattr(x, "columns") and hasattr(x, "index") else found

    def generate(
        self, *, seed: int = 1, weights: str = "best", output: Path | None = None, **options: Any
    ) -> Generated:
        """Texts and files that the run's routine makes, by the options of `dlrun generate`. Raises DlrunError."""
        _start_keras(self.config)
        from dlrun.generate import generate as run_generate

        return run_generate(self.dir, self.config, options, seed=seed, weights=weights, output=output)[1]

    def __repr__(self) -> str:
        return f"Run({self.dir.path.parent.name}/{self.dir.id}, {self.dir.status()})"


def _as_frame(found: Predictions, given: Any) -> Any:
    """Predictions as a DataFrame of the kind of the given one; a series gives one row, that of the window's end."""
    index = given.index[len(given.index) - len(found.rows) :]
    return type(given)(found.rows, index=index, columns=found.columns[1:])  # without `input`

"""Each row predicted by the model that did not see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlrun.config.loading import load_config
from dlrun.config.schema import Config
from dlrun.errors import DataError
from dlrun.run_dir import RunDir
from dlrun.studies._study_dir import StudyDir, write_table

if TYPE_CHECKING:
    import numpy as np

    from dlrun.data._dataset import Dataset, Prepared


def predict(study: StudyDir, names: Sequence[str], weights: str) -> dict[str, Any]:
    """Predict the held-out rows of each fold with its `weights` (best or last), write them to `out_of_fold.csv`, and
    return their metrics in original units; with several repetitions the mean over these. Raises DlrunError.
    """
    runs = [study.run(name) for name in names]
    configs = [load_config(run.config_file) for run in runs]
    from dlrun.environment import import_keras

    import_keras(configs[0].runtime.backend, configs[0].runtime.device, lean=True)
    from dlrun.engine.resolve import open_session, read_data

    with open_session(configs[0]):
        dataset = read_data(configs[0])
        found = [_held_out(run, config, dataset, weights) for run, config in zip(runs, configs, strict=True)]
    write_table(study.out_of_fold_file, [row for fold in found for row in fold.table()])
    repeats = [[fold for fold in found if fold.repeat == repeat] for repeat in sorted({fold.repeat for fold in found})]
    scores = [_score(folds) for folds in repeats]
    return {
        "weights": weights,
        "file": study.out_of_fold_file.name,
        "rows": sum(len(fold.rows) for fold in repeats[0]),
        "outputs": {name: _mean([score[name] for score in scores]) for name in scores[0]},
    }


class _HeldOut:
    """Predictions of one fold in original units, `outputs` and `targets` by task; `rows` are those of the dataset."""

    def __init__(self, run: RunDir, config: Config, data: Prepared, outputs: dict[str, np.ndarray]) -> None:
        self.run, self.config, self.data, self.outputs = run, config, data, outputs
        self.rows = data.splits["validation"]
        self.targets = {name: data.original_targets[name][self.rows] for name in outputs}

    @property
    def repeat(self) -> int:
        return self.config.split.fold.repeat if self.config.split.fold else 0

    def table(self) -> list[dict[str, Any]]:
        """A row for each held-out row: its number counted from 1, the run that predicted it, target and prediction."""
        from dlrun.predict import prediction_values

        rows: list[dict[str, Any]] = [{"row": row + 1, "run": self.run.id} for row in self.rows.tolist()]
        tasks = self.data.spec.tasks
        for name, task in tasks.items():
            shown = name if len(tasks) > 1 else ""
            values = prediction_values(self.outputs[name], task, shown)
            targets = _targets(self.targets[name], task)
            for row, target, value in zip(rows, targets, values, strict=True):
                row |= {f"{shown}_target" if shown else "target": target, **value}
        return rows


def _targets(targets: np.ndarray, task: Any) -> list[Any]:
    """Targets as a reader wants them: labels, or numbers."""
    from dlrun.engine.scoring import true_labels
    from dlrun.predict import chosen_labels

    if not task.classifies:
        return [row[0] if len(row) == 1 else row for row in targets.reshape(len(targets), -1).tolist()]
    labels = true_labels(targets, task)
    if task.kind == "multilabel":
        return [chosen_labels(row, task) for row in labels]
    return [task.labels[label] for label in labels.tolist()]


def _held_out(run: RunDir, config: Config, dataset: Dataset, weights: str) -> _HeldOut:
    from dlrun.data._fingerprint import same_data
    from dlrun.data._saved import load_preprocessing
    from dlrun.engine.feeding import Feeder
    from dlrun.engine.model_files import load_predictor
    from dlrun.engine.resolve import load_data
    from dlrun.engine.scoring import BATCH_SIZE, in_units_of_targets, predict_rows

    data = load_data(config, load_preprocessing(run.preprocess), dataset=dataset)
    if not same_data(data.fingerprint, run.record().get("data")):
        raise DataError(f"the data has changed since {run.id} was trained", hint="start a new study")
    tasks = data.spec.tasks
    model = load_predictor(run.model_file(weights))
    outputs = predict_rows(model, Feeder.of(data), data.splits["validation"], BATCH_SIZE, tasks)
    losses = {name: config.output(name).loss for name in tasks}
    return _HeldOut(run, config, data, in_units_of_targets(outputs, data.spec, data.target_scales, losses))


def _score(folds: Sequence[_HeldOut]) -> dict[str, dict[str, Any]]:
    """Metrics of each task over the held-out rows of all folds of one repetition, with bootstrap intervals."""
    import numpy as np

    from dlrun.engine.scoring import score

    found = {}
    for name, task in folds[0].data.spec.tasks.items():
        outputs = np.concatenate([fold.outputs[name] for fold in folds])
        targets = np.concatenate([fold.targets[name] for fold in folds])
        scored = score(outputs, targets, task, folds[0].config.seed)
        found[name] = {"unit": task.unit, "metrics": scored.values, "intervals": scored.intervals}
    return found


def _mean(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mean over repetitions; one repetition keeps its intervals, several list their values."""
    if len(scores) == 1:
        return scores[0]
    each = [score["metrics"] for score in scores]
    means = {name: sum(metrics[name] for metrics in each) / len(each) for name in each[0]}
    return {"unit": scores[0]["unit"], "metrics": means, "repeats": each}

"""Optuna, as a sweep uses it: which trials there are, what the next one tries, whether one should be stopped."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from dlrun.config.schema import Config, Kfold
from dlrun.errors import JobError
from dlrun.files import first_line
from dlrun.seeds import child_seed
from dlrun.studies._sweep_space import draw, grid, own_params
from dlrun.studies._sweep_storage import JOURNAL, Worker, open_storage

_OWNER = "worker"  # the attribute of a trial that says who works on it
STATES = {
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


class Search:
    """The trials of a study, in Optuna's storage. Any number of processes work on it; each trial belongs to one."""

    def __init__(self, folder: Path, config: Config, mode: str) -> None:
        """Raises JobError when the storage cannot be opened."""
        assert config.sweep
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.config, self.sweep = config, config.sweep
        self._claiming, self._worker = FileLock(folder / ".claim"), Worker(folder)
        try:
            self.study = optuna.create_study(
                study_name=folder.name,
                storage=open_storage(folder, config.sweep.storage),
                direction="minimize" if mode == "min" else "maximize",
                pruner=_pruner(config),
                load_if_exists=True,
            )
        except (optuna.exceptions.OptunaError, SQLAlchemyError, ImportError, OSError, ValueError) as error:
            message = f"the storage of the sweep cannot be opened: {first_line(error)}"
            raise JobError(message, received=config.sweep.storage or JOURNAL, hint="see sweep.storage") from error

    def trials(self) -> list[FrozenTrial]:
        """Those that have begun, by number."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state in STATES]

    def best(self) -> int | None:
        """The number of the completed trial with the best value, the first of several."""
        done = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        sign = 1 if self.study.direction == optuna.study.StudyDirection.MINIMIZE else -1
        return min(done, key=lambda trial: (sign * (trial.value or 0.0), trial.number)).number if done else None

    def ended(self) -> list[int]:
        """The numbers of the trials that have ended."""
        return [trial.number for trial in self.trials() if trial.state.is_finished()]

    def running(self) -> bool:
        """Whether some trial has begun and not ended."""
        return any(one.state == TrialState.RUNNING for one in self.trials())

    def claim(self, n_trials: int, mine: Collection[int] = ()) -> Trial | None:
        """A trial for this process, which works on `mine`: one that was left behind, else a new one as long as there
        are fewer than `n_trials`. None when there is neither.
        """
        with self._claiming:
            trials = self.trials()
            left = [one for one in trials if one.number not in mine and self._left_behind(one)]
            if left:
                trial = Trial(self.study, left[0]._trial_id)
            elif len(trials) >= n_trials or (new := self._new()) is None:
                return None
            else:
                trial = new
            self._worker.begin()
            trial.set_user_attr(_OWNER, self._worker.name)
            return trial

    def close(self) -> None:
        """Give up the trials of this process that have not ended."""
        self._worker.end()

    def _left_behind(self, trial: FrozenTrial) -> bool:
        """Whether nobody works on a trial that has not ended: its process is dead, or this one, which has lost it."""
        owner = str(trial.user_attrs.get(_OWNER, ""))
        gone = owner in ("", self._worker.name) or not self._worker.lives(owner)
        return trial.state == TrialState.RUNNING and gone

    def _new(self) -> Trial | None:
        """A new trial; None when a grid has no more. Its values depend on the seed, its number and earlier trials."""
        trials = self.study.get_trials(deepcopy=False)
        number = sum(trial.state in STATES for trial in trials)
        if number == len(trials) and not self._enqueue(number):
            return None
        return self.study.ask()

    def _enqueue(self, number: int) -> bool:
        """Say what the next trial has to be, where it is not drawn; false when there is none."""
        if self.sweep.sampler == "grid":
            params = next(itertools.islice(grid(self.sweep.space), number, None), None)
            if params is None:
                return False
            self.study.enqueue_trial(params)
        elif number == 0:
            params, _ = own_params(self.config, self.sweep.space)
            if params:
                self.study.enqueue_trial(params)
        return True

    def values(self, trial: Trial) -> dict[str, Any]:
        """What the trial sets; one that was drawn before, wholly or in part, has the same again."""
        self.study.sampler = _sampler(self.sweep.sampler, self.config.seed, trial.number)
        return draw(trial, self.sweep.space)

    def told(self, trial: Trial) -> int:
        """How many epochs (or folds) of a trial were reported."""
        return len(self.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def report(self, trial: Trial, step: int, value: float) -> None:
        """Keep the value at a step, counted from 1, unless it was reported before."""
        if step > self.told(trial):
            trial.report(value, step - 1)

    def should_stop(self, trial: Trial) -> bool:
        """Ask the pruner about the last step reported."""
        return self.sweep.pruner != "none" and trial.should_prune()

    def end(self, trial: Trial, value: float | None = None, *, pruned: bool = False) -> None:
        """Set the trial's value, or that it was pruned or failed."""
        if pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        elif value is None:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)

    def importances(self) -> dict[str, float]:
        """Share of each parameter in the spread of the values, by functional ANOVA; empty when there is too little."""
        complete = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        if len({trial.value for trial in complete}) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.config.seed)
        return dict(optuna.importance.get_param_importances(self.study, evaluator=evaluator))


def _sampler(name: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """A sampler for one trial: seeded by its number, so that a sweep that goes on draws what it would have drawn."""
    own = child_seed(seed, "trial", number)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=own)
    if name == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=own, warn_independent_sampling=False)
    if name == "qmc":
        common = child_seed(seed, "trial")  # each trial takes the next point of one sequence
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.QMCSampler(seed=common, scramble=True, warn_independent_sampling=False)
    return optuna.samplers.RandomSampler(seed=own)


def _pruner(config: Config) -> optuna.pruners.BasePruner:
    assert config.sweep
    sweep, folds = config.sweep, config.kfold or Kfold()  # type: ignore[call-arg]
    by_fold = sweep.objective == "kfold"
    steps = folds.n_splits * folds.repeats if by_fold else config.training.epochs
    warmup = 0 if by_fold else sweep.warmup_epochs
    if sweep.pruner == "median":
        return optuna.pruners.MedianPruner(sweep.startup_trials, n_warmup_steps=warmup)
    if sweep.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, min(warmup, steps)), max_resource=max(1, steps))
    return optuna.pruners.NopPruner()

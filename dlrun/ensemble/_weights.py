"""Weights of the members: equal, given, or searched on the validation part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from dlrun.errors import ConfigError
from dlrun.seeds import child_seed

EQUAL, NELDER_MEAD, RANDOM = "equal", "nelder-mead", "random"
DRAWS = 1000  # of a random search
_STEPS = 200  # of Nelder-Mead, per member and start
_LEAN = 3.0  # how far a start leans towards one member: its weight is e^3 times that of the others

Judge = Callable[[np.ndarray], tuple[float, float]]  # weights to (fault, loss), less is better


@dataclass(frozen=True)
class Candidate:
    """Weights `(members,)` that sum to 1, and how good the ensemble is with them."""

    weights: np.ndarray
    fault: float
    loss: float


def parse_weights(text: str, members: int) -> np.ndarray | None:
    """Weights as they are given (`0.5,0.3,0.2`, made to sum to 1) or equal; None when they shall be searched.

    Raises ConfigError.
    """
    if text in (NELDER_MEAD, RANDOM):
        return None
    if text == EQUAL:
        return np.full(members, 1 / members)
    expected = f"{EQUAL}, {NELDER_MEAD}, {RANDOM}, or {members} numbers of 0 or more: 0.5,0.3,0.2"
    try:
        given = np.array([float(part) for part in text.split(",")])
    except ValueError as error:
        raise ConfigError("--weights is not understood", received=text, expected=expected) from error
    if len(given) != members or not np.isfinite(given).all() or (given < 0).any() or given.sum() == 0:
        raise ConfigError("--weights does not fit the runs", received=text, expected=expected)
    return np.asarray(given / given.sum())


def search(method: str, members: int, judge: Judge, seed: int) -> Candidate:
    """The best weights found. Each member alone and all equally are among those tried, so that the ensemble is no
    worse than its best member: of all that have as few faults as that one, those with the least loss.
    """
    alone = [_judged(row, judge) for row in np.eye(members)]
    tried = [*alone, _judged(np.full(members, 1 / members), judge)]
    tried += _random(members, judge, seed) if method == RANDOM else _nelder_mead(members, judge)
    least = min(one.fault for one in alone)
    return min((one for one in tried if one.fault <= least), key=lambda one: one.loss)


def _judged(weights: np.ndarray, judge: Judge) -> Candidate:
    return Candidate(weights, *judge(weights))


def _random(members: int, judge: Judge, seed: int) -> list[Candidate]:
    """Draws from all weights that sum to 1, each as likely as the other."""
    draws = np.random.default_rng(child_seed(seed, "ensemble")).dirichlet(np.ones(members), DRAWS)
    return [_judged(weights, judge) for weights in draws]


def _nelder_mead(members: int, judge: Judge) -> list[Candidate]:
    """Everything that Nelder and Mead's simplex (1965) visits on its way to the least loss, from equal weights and from
    each member. The weights are the softmax of what it moves, the first being 0.
    """
    tried: list[Candidate] = []

    def loss(moved: np.ndarray) -> float:
        tried.append(_judged(_softmax([0.0, *moved.tolist()]), judge))
        return tried[-1].loss

    starts = [np.zeros(members), *(_LEAN * np.eye(members))]
    for start in starts:
        options = {"maxfev": _STEPS * members, "xatol": 1e-4, "fatol": 1e-7}
        minimize(loss, start[1:] - start[0], method="Nelder-Mead", options=options)
    return tried


def _softmax(values: Sequence[float]) -> np.ndarray:
    powers = np.exp(np.array(values) - max(values))
    return np.asarray(powers / powers.sum())

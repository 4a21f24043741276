"""Which rows train, validate and test: a pure function of the rows, the options and a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlrun.data._folds import NotStratifiedError, one_fold
from dlrun.data._times import time_order
from dlrun.errors import DataError, Key, did_you_mean, listing
from dlrun.seeds import child_seed

TEST_SHARE = 0.2  # without a test part of its own
FEWEST_PER_CLASS = 3  # rows of a class that `auto` stratifies: one for each part


@dataclass(frozen=True)
class Rows:
    """What the splits see of a dataset.

    `classes` holds a class per row `(rows,)`, None when there is none. `parts` are the row indices the data gives,
    `columns` the values that `group` and `time` may name.
    """

    count: int
    classes: np.ndarray | None = None
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Splits:
    """Row indices by split name (those with rows only), the kind that was used, and remarks for the user."""

    indices: dict[str, np.ndarray]
    kind: str
    notes: list[str]


@dataclass(frozen=True)
class _Plan:
    """All that decides a split, once its kind is known."""

    rows: Rows
    options: Mapping[str, Any]
    kind: str
    seed: int

    def column(self, role: str) -> np.ndarray:
        """The values `(rows,)` of the column that the option `role` names. Raises DataError."""
        name = str(self.options[role])
        if name not in self.rows.columns:
            raise DataError(
                f"there is no column {name!r}",
                key=("split", role),
                expected=listing(self.rows.columns) or "this dataset has no columns",
                hint=did_you_mean(name, self.rows.columns),
            )
        return np.asarray(self.rows.columns[name])


def split_rows(rows: Rows, options: Mapping[str, Any], seed: int) -> Splits:
    """Divide rows by all keys of the `split` section; the same options and seed give the same rows, and so do these
    options with the returned kind.

    Raises DataError, with the key that asks too much, when the rows cannot be divided so.
    """
    kind = options["kind"]
    if kind == "auto":
        return _split_automatically(rows, options, seed)
    _check_kind(kind, rows, options)
    return _divide(_Plan(rows, options, kind, seed))


def _split_automatically(rows: Rows, options: Mapping[str, Any], seed: int) -> Splits:
    """By the data's own parts, else stratified where that is possible, else shuffled, with a note on why."""
    if "validation" in rows.parts:
        return _divide(_Plan(rows, options, "given", seed))
    plan = _Plan(rows, options, "shuffled", seed)
    if rows.classes is None:
        return _divide(plan)
    smallest = int(np.unique(rows.classes, return_counts=True)[1].min())
    if smallest < FEWEST_PER_CLASS:
        reason = f"the smallest class has {smallest} rows"
    else:
        try:
            return _divide(replace(plan, kind="stratified"))
        except NotStratifiedError as error:
            reason = error.problems[0].message
    found = _divide(plan)
    found.notes.insert(0, f"{reason}: the split is shuffled, not stratified")
    return found


def _divide(plan: _Plan) -> Splits:
    rows, options, notes = plan.rows, plan.options, list[str]()
    validation = options["validation"]
    rest, test = _test_part(plan, notes)
    if options["fold"]:
        training, held_out = _fold(plan, rest, notes)
    elif validation == "test":
        if not len(test):
            raise DataError("split.validation is 'test', but there is no test part", key=("split", "validation"))
        training, held_out = rest, test
        notes.append("validation uses the test part (split.validation: test), so its metrics are no honest estimate")
    elif plan.kind == "given" and "validation" in rows.parts and validation != 0:
        held_out = np.asarray(rows.parts["validation"])
        training = _without(rest, held_out)
    elif validation == 0:
        training, held_out = rest, rest[:0]
    else:
        training, held_out = _cut(plan, rest, _count(validation, len(rest), ("split", "validation")), "validation")
    if options["training"] is not None and len(training):
        everything = len(training)
        _, training = _cut(plan, training, _count(options["training"], everything, ("split", "training")), "training")
        notes.append(f"{len(training):,} of {everything:,} rows train (split.training); the others are not used")
    if not len(training):
        raise DataError("no rows are left for training", key=("split",), received=f"{rows.count:,} rows in all")
    named = {"training": training, "validation": held_out, "test": test}
    return Splits({name: indices for name, indices in named.items() if len(indices)}, plan.kind, notes)


def _check_kind(kind: str, rows: Rows, options: Mapping[str, Any]) -> None:
    """Raises DataError when the data or the options lack what the kind needs."""
    needed = not options["fold"] and options["validation"] not in (0, "test")
    if kind == "given" and needed and "validation" not in rows.parts:
        raise DataError(
            "the dataset has no validation part of its own",
            key=("split", "kind"),
            received="kind: given",
            expected=f"a dataset with a validation part; this one has {listing(rows.parts) or 'none'}",
            hint="choose another kind, such as head or stratified",
        )
    if kind == "stratified" and rows.classes is None:
        raise DataError(
            "only rows with one class each can be stratified", key=("split", "kind"), hint="use kind: shuffled"
        )
    if kind == "grouped" and not options["group"]:
        raise DataError("kind: grouped needs the column that names the group", key=("split", "group"))


def _test_part(plan: _Plan, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are not test rows, in the kind's order, and the test rows."""
    wish, own = plan.options["test"], plan.rows.parts.get("test")
    everything = np.arange(plan.rows.count)
    if wish is None and own is not None:
        return _in_order(plan, _without(everything, own)), np.asarray(own)
    if own is not None:
        notes.append(f"split.test is set: the {len(own):,} rows of the dataset's own test part join the others")
    everything = _in_order(plan, everything)
    if wish == 0 or (wish is None and plan.kind == "given"):
        return everything, everything[:0]
    count = _count(TEST_SHARE if wish is None else wish, plan.rows.count, ("split", "test"))
    if plan.kind == "given" and "validation" in plan.rows.parts:
        kept = np.asarray(plan.rows.parts["validation"])  # what is given to validate does not test
        if count > len(everything) - len(kept) - 1:
            raise DataError(
                f"split.test asks for {count:,} rows, but {len(kept):,} of {len(everything):,} are the validation part",
                key=("split", "test"),
                expected=f"at most {max(0, len(everything) - len(kept) - 1):,}",
            )
        _, test = _cut(plan, _without(everything, kept), count, "test")
        return _without(everything, test), test
    return _cut(plan, everything, count, "test")


def _count(wish: float, available: int, key: Key) -> int:
    """The number of rows a share or number stands for."""
    name = ".".join(map(str, key))
    if isinstance(wish, float) and (wish == 1 or not wish.is_integer()):
        if not 0 < wish < 1:
            raise DataError(
                f"{name} is no share",
                key=key,
                received=str(wish),
                expected="a share between 0 and 1, or a whole number",
            )
        count = round(wish * available)
    else:
        count = int(wish)
    if count < 0 or count >= available:
        raise DataError(
            f"{name} asks for {count:,} rows, but there are only {available:,} to divide",
            key=key,
            expected=f"at most {max(0, available - 1):,}, since training needs rows too",
        )
    if count == 0:
        raise DataError(f"{name} gives no row at all", key=key, received=f"{wish} of {available:,} rows")
    return count


def _cut(plan: _Plan, pool: np.ndarray, count: int, part: str) -> tuple[np.ndarray, np.ndarray]:
    """`pool` without `count` rows for `part`, and these rows; chosen as the kind says."""
    seed = child_seed(plan.seed, part)
    if plan.kind == "time" or (plan.kind == "head" and part == "test"):
        return pool[:-count], pool[-count:]
    if plan.kind == "head":
        return pool[count:], pool[:count]
    if plan.kind == "grouped":
        return _cut_groups(pool, plan.column("group")[pool], count, seed, part)
    classes = plan.rows.classes[pool] if plan.kind == "stratified" and plan.rows.classes is not None else None
    if classes is not None:
        _check_stratified(classes, count, part)
    from sklearn.model_selection import train_test_split  # here: a second to import, and many splits do without

    rest, taken = train_test_split(pool, test_size=count, random_state=seed, stratify=classes)
    return np.sort(rest), np.sort(taken)


def _check_stratified(classes: np.ndarray, count: int, part: str) -> None:
    names, counts = np.unique(classes, return_counts=True)
    if counts.min() < 2:
        raise NotStratifiedError(
            f"class {names[counts.argmin()]} has only one row, which cannot be in two parts",
            key=("split", "kind"),
            received="kind: stratified",
            hint="use kind: shuffled, or leave that class out",
        )
    if min(count, len(classes) - count) < len(names):
        raise NotStratifiedError(
            f"{len(names)} classes do not fit into {min(count, len(classes) - count)} rows",
            key=("split", part),
            received=f"kind: stratified with {count} of {len(classes)} rows for {part}",
            hint="use a larger part, or kind: shuffled",
        )


def _cut_groups(
    pool: np.ndarray, groups: np.ndarray, count: int, seed: int, part: str
) -> tuple[np.ndarray, np.ndarray]:
    """Whole groups in random order until their rows come closest to `count`."""
    names, codes, sizes = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(f"one group alone cannot be divided for {part}", key=("split", "group"))
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(sizes[order])[:-1]  # one group at least stays
    chosen = order[: int(np.abs(reached - count).argmin()) + 1]
    taken = np.isin(codes, chosen)
    return pool[~taken], pool[taken]


def _fold(plan: _Plan, pool: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The training rows and the held-out rows of one fold over `pool`."""
    fold = plan.options["fold"]
    kind, labels = _fold_kind(plan, pool, fold["n_splits"], notes)
    training, held_out = one_fold(kind, labels, len(pool), fold, child_seed(plan.seed, "fold", fold["repeat"]))
    return pool[training], pool[held_out]


def _fold_kind(plan: _Plan, pool: np.ndarray, n_splits: int, notes: list[str]) -> tuple[str, np.ndarray | None]:
    """The kind of the folds with the group or class of each row; folds of given parts are stratified if they can be."""
    classes = None if plan.rows.classes is None else plan.rows.classes[pool]
    if plan.kind == "grouped":
        return plan.kind, plan.column("group")[pool].astype(str)
    if plan.kind == "stratified":
        return plan.kind, classes
    if plan.kind != "given":
        return plan.kind, None
    if classes is not None and np.unique(classes, return_counts=True)[1].min() >= n_splits:
        return "stratified", classes
    if classes is not None:
        notes.append(f"a class has less than {n_splits} rows: the folds are shuffled, not stratified")
    return "shuffled", None


def _in_order(plan: _Plan, pool: np.ndarray) -> np.ndarray:
    """`pool`, for the kind `time` ordered by the time column if one is named."""
    if plan.kind != "time" or not plan.options["time"]:
        return pool
    return pool[time_order(plan.column("time")[pool], str(plan.options["time"]))]


def _without(pool: np.ndarray, taken: np.ndarray) -> np.ndarray:
    return pool[~np.isin(pool, taken)]

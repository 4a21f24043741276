"""The encoder of tables: numeric and categorical columns become one row of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from dlrun.data._columns import categories, numbers
from dlrun.data._csv_files import Form, Table, read_table
from dlrun.data._dataset import Arrays, Encoder, encoder
from dlrun.data._memory import meaning, memory_table, number_text
from dlrun.data._transforms import Chain
from dlrun.errors import DataError, did_you_mean, listing
from dlrun.spec import InputSpec

Kinds = dict[str, str]


@encoder("table")
class TableEncoder(Encoder):
    """Columns of a CSV file, transformed and put side by side: numeric ones first, then categorical ones.

    `kinds` is `numeric` or `categorical` by column name; `layout` are all column names of the training file in order
    and `targets` those among them that are targets, by which a file without header is read.
    """

    def __init__(
        self, kinds: Kinds, *, layout: Sequence[str], targets: Sequence[str], named: bool, form: Form, chains: Chains
    ) -> None:
        self.kinds = dict(kinds)
        self.layout = list(layout)
        self.targets = list(targets)
        self.named = named
        self.form = form
        self.chains = chains
        self.width = 0
        self.spellings: dict[str, list[str]] = {}

    def inputs(self) -> dict[str, InputSpec]:
        """`features`: `(width,)` float32; the width is known after `fit`."""
        return {"features": InputSpec((self.width,))}

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """Learn the transforms of both kinds of columns from the training rows, and how categories that are numbers in
        memory are written.
        """
        for name in self._names("categorical"):
            texts = {text for text in raw[name][rows] if text is not None and meaning(text)}
            self.spellings |= {name: sorted(texts)} if texts else {}
        for kind, chain in self.chains.items():
            names = self._names(kind)
            if names:
                chain.fit(_side_by_side(raw, names, rows))
        self.width = self._features(raw, rows[:1]).shape[1]

    def apply(self, raw: Arrays) -> Arrays:
        """`features`: `(rows, width)` float32. Raises DataError when values are still missing or infinite."""
        self._check_raw(raw)
        features = self._features(raw, slice(None))
        if not np.isfinite(features).all():
            gaps = [name for name in self._names("numeric") if np.isnan(raw[name]).any()]
            raise DataError(
                "the transforms leave values that are not finite",
                key=("data", "numeric_transforms"),
                received=f"missing values in {listing(gaps)}" if gaps else "infinite values",
                hint="put impute first in data.numeric_transforms" if gaps else None,
            )
        return {"features": features}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`(batch, width)` float32."""
        return ops.take(arrays["features"], indices, axis=0)

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """The columns of CSV files, found by name; targets may be missing, other columns are passed over."""
        parts = [self.raw_columns(self.read_file(source)) for source in sources]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.kinds}

    def read_file(self, source: str | Path) -> Table:
        """A further file of the same kind, with the names of the training file. Raises DataError."""
        table = read_table(source, replace(self.form, delimiter="auto", header=self.named))
        if not self.named:
            table.columns = dict(
                zip(self._layout_of(table.source, len(table.columns)), table.columns.values(), strict=True)
            )
        return table

    def read_values(self, values: Any) -> Arrays:
        """The columns of a DataFrame or a mapping, found by name; or rows as in a training file without header."""
        known = {name: {meaning(text): text for text in texts} for name, texts in self.spellings.items()}

        def spelling(name: str, value: Any) -> str:
            numeric = self.kinds[name] == "numeric"
            return number_text(value) if numeric else known.get(name, {}).get(meaning(value), str(value))

        return self.raw_columns(
            memory_table(values, self.form, wanted=self.kinds, names=self._layout_of, spelling=spelling)
        )

    def _layout_of(self, source: str, count: int) -> list[str]:
        """The names of columns that have none: those of the training file, which had none either.

        Raises DataError.
        """
        without = [name for name in self.layout if name not in self.targets]
        if self.named:
            raise DataError(
                f"{source}: the columns have no names",
                expected=f"a DataFrame or a dict with {listing(self.kinds)}",
            )
        if count not in (len(self.layout), len(without)):
            raise DataError(
                f"{source}: the rows have {count} cells",
                expected=f"{len(self.layout)} as in the training file, or {len(without)} without the target",
            )
        return self.layout if count == len(self.layout) else without

    def raw_columns(self, table: Table) -> Arrays:
        """The input columns of a table as raw arrays. Raises DataError when one is missing."""
        for name in self.kinds:
            if name not in table.columns:
                raise DataError(
                    f"{table.source}: the column {name!r} is missing",
                    received=listing(table.columns),
                    hint=did_you_mean(name, table.columns),
                )
        readers = {"numeric": numbers, "categorical": categories}
        return {name: readers[kind](table, name) for name, kind in self.kinds.items()}

    def describe(self, raw: Arrays, row: int) -> str:
        """The first columns of a row."""
        shown = [f"{name}={_shown(raw[name][row])}" for name in list(raw)[:4]]
        return ", ".join(shown) + (", ..." if len(raw) > 4 else "")

    def get_state(self) -> dict[str, Any]:
        """Columns, form of the files, and the states of the transforms."""
        return {
            "kinds": self.kinds,
            "layout": self.layout,
            "targets": self.targets,
            "named": self.named,
            "form": asdict(self.form) | {"missing": list(self.form.missing)},
            "width": self.width,
            "spellings": self.spellings,
            "chains": {kind: chain.get_state() for kind, chain in self.chains.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TableEncoder:
        """The encoder as it was when its state was taken."""
        restored = cls(
            state["kinds"],
            layout=state["layout"],
            targets=state["targets"],
            named=state["named"],
            form=Form(**state["form"] | {"missing": tuple(state["form"]["missing"])}),
            chains={kind: Chain.from_state(steps) for kind, steps in state["chains"].items()},
        )
        restored.width = int(state["width"])
        restored.spellings = state.get("spellings", {})
        return restored

    def _check_raw(self, raw: Arrays) -> None:
        """Raises DataError when the raw columns are not those of training: the file has changed since."""
        for name, kind in self.kinds.items():
            if name not in raw:
                raise DataError(f"the column {name!r} is missing or is no input any more", received=listing(raw))
            found = "categorical" if raw[name].dtype == object else "numeric"
            if found != kind:
                raise DataError(
                    f"column {name!r} is {found} now, in training it was {kind}",
                    hint=f"state it: data.columns: {{{name}: {kind}}}",
                )

    def _names(self, kind: str) -> list[str]:
        return [name for name, found in self.kinds.items() if found == kind]

    def _features(self, raw: Arrays, rows: Any) -> np.ndarray:
        parts = []
        for kind, chain in self.chains.items():
            names = self._names(kind)
            if names:
                values = chain.apply(_side_by_side(raw, names, rows))
                if values.dtype == object:
                    raise DataError(
                        f"the {kind} columns {listing(names, 4)} are still text after their transforms",
                        key=("data", f"{kind}_transforms"),
                        hint="let the last one be one_hot",
                    )
                parts.append(values.astype("float32"))
        return np.concatenate(parts, axis=1)


Chains = dict[str, Chain]


def _side_by_side(raw: Arrays, names: Sequence[str], rows: Any) -> np.ndarray:
    """`(rows, columns)`: float64, or object for categories."""
    return np.stack([raw[name][rows] for name in names], axis=1)


def _shown(value: Any) -> str:
    if value is None or value != value:
        return "?"
    return f"{value:g}" if isinstance(value, float) else str(value)

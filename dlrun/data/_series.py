"""The encoder of time series: one series at rest, windows of it gathered in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from dlrun.data._csv_files import MISSING, Form
from dlrun.data._dataset import Arrays, Encoder, TargetScale, encoder
from dlrun.data._memory import SOURCE, memory_table, named_columns, number_text
from dlrun.data._numbers import number_rows
from dlrun.data._series_files import Series, SeriesForm, read_series, series_of
from dlrun.errors import DataError, listing
from dlrun.spec import InputSpec


@encoder("series")
class SeriesEncoder(Encoder):
    """Windows `(lookback // step, features)` of a series `(positions, features)` that is standardised once.

    Raw rows are window ends: the window of end r is the positions r - lookback, r - lookback + step, ..., r - step, and
    its target lies `delay` positions after r (DLwP 6.3.2). `columns` are the features in their order, `target` the
    target's column, which need not be one of them. `target_reach` is how far behind its end a row counts as training
    data: `delay`, or 0. `reverse` turns each window round, the latest position first.
    """

    def __init__(
        self,
        *,
        columns: Sequence[str],
        target: str,
        task: str,
        lookback: int,
        step: int,
        delay: int,
        target_reach: int,
        normalize: bool,
        form: SeriesForm,
        reverse: bool = False,
    ) -> None:
        self.columns = list(columns)
        self.target = target
        self.task = task
        self.lookback = lookback
        self.step = step
        self.delay = delay
        self.target_reach = target_reach
        self.normalize = normalize
        self.form = form
        self.reverse = reverse
        self.mean = np.zeros(len(self.columns))
        self.std = np.ones(len(self.columns))
        self.scale: TargetScale | None = None

    def inputs(self) -> dict[str, InputSpec]:
        """`series`: `(lookback // step, features)` float32."""
        return {"series": InputSpec((self.lookback // self.step, len(self.columns)))}

    def fit(self, raw: Arrays, rows: np.ndarray) -> None:
        """Mean and standard deviation of the positions that the training rows cover (DLwP 6.3.2), and the target's."""
        if not self.normalize:
            return
        ends = raw["ends"][rows]
        covered = slice(int(ends.min()) - self.lookback, int(ends.max()) + self.target_reach + 1)
        values = raw["series"][covered].astype("float64")
        self.mean, self.std = values.mean(axis=0), values.std(axis=0)
        self.std[self.std == 0] = 1.0
        target = raw["target"][covered].astype("float64")
        self.scale = TargetScale((float(target.mean()),), (float(target.std()) or 1.0,))

    def apply(self, raw: Arrays) -> Arrays:
        """`ends` `(rows,)` int32, and the shared `series` `(positions, features)` float32."""
        if raw["series"].shape[1] != len(self.columns):
            raise DataError(
                f"the series has {raw['series'].shape[1]} columns now, in training it had {len(self.columns)}",
                key=("data", "columns"),
                expected=listing(self.columns),
            )
        series = (raw["series"] - self.mean) / self.std if self.normalize else raw["series"]
        return {"ends": raw["ends"], "series": np.ascontiguousarray(series, "float32")}

    def batch(self, arrays: Mapping[str, Any], indices: Any) -> Any:
        """`(batch, lookback // step, features)` float32."""
        ends = ops.take(arrays["ends"], indices, axis=0)
        back = np.arange(-self.lookback, 0, self.step, dtype="int32")
        back = back[::-1] if self.reverse else back
        return ops.take(arrays["series"], ends[:, None] + back, axis=0)

    def target_scale(self, task: str) -> TargetScale | None:
        """That of the target's column over the same positions as the inputs', so that both are in the same units."""
        return self.scale if task == self.task else None

    def read(self, sources: Sequence[str | Path]) -> Arrays:
        """One window per CSV file, made of its last `lookback` rows: the forecast is for `delay` rows after them."""
        parts, ends, last = [], [], []
        for source in sources:
            found, _ = read_series(source, self.form, columns=self.columns)
            parts.append(self._window(found, str(source)))
            ends.append(len(parts) * self.lookback)
            last.append(f"{Path(source).name} up to {found.dates[-1]}" if found.dates else Path(source).name)
        texts = np.array(last, object)
        return {"ends": np.array(ends, "int32"), "series": np.concatenate(parts), "texts": texts}

    def read_values(self, values: Any) -> Arrays:
        """One window, made of the last `lookback` rows of a table with the columns of training, or of an array `(rows,
        features)`. Rows are sorted by the date if its column is there, else they are in order of time.
        """
        there = named_columns(values)
        if there is None:
            rows = number_rows(values, len(self.columns), SOURCE)
            there = dict(zip(self.columns, rows.T, strict=True))
        date = self.form.date if self.form.date == "auto" or self.form.date in there else None
        form = Form(header=True, missing=self.form.missing, decimal=self.form.decimal)
        table = memory_table(there, form, wanted=there, spelling=lambda _, value: number_text(value))
        found, _ = series_of(table, [], date, columns=self.columns)
        last = f"the given rows up to {found.dates[-1]}" if found.dates else SOURCE
        ends, texts = np.array([self.lookback], "int32"), np.array([last], object)
        return {"ends": ends, "series": self._window(found, SOURCE), "texts": texts}

    def _window(self, series: Series, source: str) -> np.ndarray:
        """The last `lookback` positions `(lookback, features)`. Raises DataError when there are fewer."""
        if len(series.values) < self.lookback:
            raise DataError(
                f"{source}: the series is shorter than a window",
                received=f"{len(series.values):,} rows",
                expected=f"at least {self.lookback:,} rows (data.lookback)",
            )
        return series.values[-self.lookback :]

    def describe(self, raw: Arrays, row: int) -> str:
        """The file and the time of its last row, or the place of the window in the series."""
        if "texts" in raw:
            return f"{raw['texts'][row]}, {self.delay} rows ahead"
        return f"rows {raw['ends'][row] - self.lookback + 1} to {raw['ends'][row]}, {self.delay} rows ahead"

    def get_state(self) -> dict[str, Any]:
        """All options, and what was learned."""
        return {
            "columns": self.columns,
            "target": self.target,
            "task": self.task,
            "lookback": self.lookback,
            "step": self.step,
            "delay": self.delay,
            "target_reach": self.target_reach,
            "normalize": self.normalize,
            "reverse": self.reverse,
            "form": vars(self.form) | {"missing": list(self.form.missing)},
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "scale": [self.scale.mean[0], self.scale.std[0]] if self.scale else None,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesEncoder:
        """The encoder as it was when its state was taken."""
        options = dict(state)
        mean, std, scale = (options.pop(key) for key in ("mean", "std", "scale"))
        form = options.pop("form")
        restored = cls(**options, form=SeriesForm(**form | {"missing": tuple(form.get("missing", MISSING))}))
        restored.mean, restored.std = np.array(mean), np.array(std)
        restored.scale = TargetScale((scale[0],), (scale[1],)) if scale else None
        return restored

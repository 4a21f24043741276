"""Californian house prices as Keras publishes them."""

from __future__ import annotations

from typing import Literal

import dlrun
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._dataset import Dataset
from dlrun.data._housing import generated_housing, in_published_order, read_housing
from dlrun.data._published import head_and_tail
from dlrun.data._sources import DataContext, Download
from dlrun.errors import DataError
from dlrun.spec import Task, Transforms

# Address and hash as in keras/src/datasets/california_housing.py.
DISTRICTS = Download(
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/california_housing.npz",
    "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
)
ROWS, COLUMNS = 20_640, 8
SMALL_ROWS = 600
PRICES = (14_999, 500_001)  # lowest and highest of the census data


@dlrun.dataset("california_housing")
def california_housing(
    context: DataContext,
    *,
    version: Literal["large", "small"] = "large",
    numeric_transforms: Transforms = ["standardise"],  # noqa: B006
    scale_target: bool = True,
) -> Dataset:
    """20,640 Californian districts of 1990, 8 measures, the median price in dollars. Reads california_housing.npz.

    `version`: large, or `small`: the first 600 districts, which Keras offers in place of Boston's. The last fifth,
    after Keras' shuffle, is the test part.
    `numeric_transforms`: in this order, learned from the training rows.
    `scale_target`: train on standardised prices; what dlrun reports is in original units.
    Source: Pace and Barry, Sparse spatial autoregressions, 1997.
    """
    if context.sample:
        features, prices = generated_housing(context, COLUMNS, *PRICES)
        files, notes = [], ["the districts are a small generated stand-in (--sample), not California's"]
    else:
        path = context.locate_file("california_housing.npz", "california_housing", DISTRICTS)
        features, prices = read_housing(path, "California housing file", (ROWS, COLUMNS))
        if prices.min() < PRICES[0] or prices.max() > PRICES[1]:
            raise DataError(
                f"{path}: this is not the published California housing file: the prices are others",
                received=f"{prices.min():g} to {prices.max():g}",
                expected=f"{PRICES[0]} to {PRICES[1]}",
            )
        rows = SMALL_ROWS if version == "small" else ROWS
        features, prices = in_published_order(features[:rows], prices[:rows])
        files, notes = [path], []
    return Dataset(
        name="california_housing",
        raw={"features": features.astype("float64")},
        targets={"price": prices.astype("float32")},
        encoder=ArrayEncoder("features", (COLUMNS,), transforms=numeric_transforms),
        tasks={"price": Task("regression", unit="$")},
        parts=head_and_tail(len(prices)),
        files=files,
        scale_targets=scale_target,
        generated=context.sample,
        notes=notes,
    )

"""Boston house prices as Keras publishes them."""

from __future__ import annotations

import dlrun
from dlrun.data._bundled import numeric_encoder
from dlrun.data._dataset import Dataset
from dlrun.data._housing import generated_housing, in_published_order, read_housing
from dlrun.data._published import check_published, head_and_tail
from dlrun.data._sources import DataContext, Download
from dlrun.spec import Task, Transforms

# Address and hash as in keras/src/datasets/boston_housing.py.
HOUSES = Download(
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz",
    "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
)
ROWS = 506
FIRST_PRICES = (15.2, 42.3, 50.0, 21.1, 17.7)  # of the training part after Keras' shuffle
# Of the UCI description (housing.names).
COLUMNS = ("crim", "zn", "indus", "chas", "nox", "rm", "age", "dis", "rad", "tax", "ptratio", "b", "lstat")


@dlrun.dataset("boston_housing")
def boston_housing(
    context: DataContext,
    *,
    numeric_transforms: Transforms = ["standardise"],  # noqa: B006
    scale_target: bool = False,
) -> Dataset:
    """404 + 102 Boston suburbs, 13 measures, the median price in 1,000 dollars (DLwP 3.6). Reads boston_housing.npz.

    `numeric_transforms`: in this order, learned from the training rows.
    `scale_target`: train on standardised prices; off, as in the book. What dlrun reports is in original units.
    The column `b` counts inhabitants by race, which is why Keras advises against this data except to teach.
    """
    if context.sample:
        features, prices = generated_housing(context, len(COLUMNS), 5, 50)
        files, notes = [], ["the houses are a small generated stand-in (--sample), not Boston's"]
    else:
        path = context.locate_file("boston_housing.npz", "boston_housing", HOUSES)
        features, prices = in_published_order(*read_housing(path, "Boston housing file", (ROWS, len(COLUMNS))))
        first = tuple(prices[: len(FIRST_PRICES)].tolist())
        check_published(path, "Boston housing file", "the first training prices", first, FIRST_PRICES)
        files, notes = [path], []
    columns = {name: features[:, place].astype("float64") for place, name in enumerate(COLUMNS)}
    return Dataset(
        name="boston_housing",
        raw=columns,
        targets={"price": prices.astype("float32")},
        encoder=numeric_encoder(COLUMNS, "price", numeric_transforms),
        tasks={"price": Task("regression", unit="1,000 $")},
        parts=head_and_tail(len(prices)),
        columns=columns,
        files=files,
        scale_targets=scale_target,
        generated=context.sample,
        notes=notes,
    )

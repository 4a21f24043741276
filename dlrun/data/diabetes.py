"""Diabetes patients bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._bundled import bundled_table
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Transforms


@dlrun.dataset("diabetes")
def diabetes(
    context: DataContext,
    *,
    numeric_transforms: Transforms = ["standardise"],  # noqa: B006
    scale_target: bool = True,
) -> Dataset:
    """442 diabetes patients, 10 measures, progression after a year; comes with scikit-learn, no file needed.

    `numeric_transforms`: in this order, learned from the training rows.
    `scale_target`: train on standardised targets; what dlrun reports is in original units.
    Source: Efron et al., Least angle regression, 2004; the unscaled values.
    """
    bunch = sklearn.datasets.load_diabetes(scaled=False)
    return bundled_table(
        context, "diabetes", bunch, "progression", transforms=numeric_transforms, scale_target=scale_target
    )

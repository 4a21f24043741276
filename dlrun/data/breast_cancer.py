"""Breast tumours bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._bundled import bundled_table
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Transforms


@dlrun.dataset("breast_cancer")
def breast_cancer(context: DataContext, *, numeric_transforms: Transforms = ["standardise"]) -> Dataset:  # noqa: B006
    """569 breast tumours, malignant or benign, 30 measures of cell nuclei; comes with scikit-learn, no file needed.

    `numeric_transforms`: in this order, learned from the training rows.
    Source: UCI breast cancer Wisconsin (diagnostic), 1995. As in scikit-learn, `benign` is the positive label.
    """
    bunch = sklearn.datasets.load_breast_cancer()
    return bundled_table(context, "breast_cancer", bunch, "diagnosis", transforms=numeric_transforms)

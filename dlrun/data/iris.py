"""Iris flowers bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._bundled import bundled_table
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Transforms


@dlrun.dataset("iris")
def iris(context: DataContext, *, numeric_transforms: Transforms = ["standardise"]) -> Dataset:  # noqa: B006
    """150 iris flowers of 3 species, 4 measures of leaves in cm; comes with scikit-learn, no file needed.

    `numeric_transforms`: in this order, learned from the training rows.
    Source: Fisher, The use of multiple measurements in taxonomic problems, 1936.
    """
    bunch = sklearn.datasets.load_iris()
    return bundled_table(context, "iris", bunch, "species", transforms=numeric_transforms)

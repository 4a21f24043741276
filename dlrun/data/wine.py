"""Italian wines bundled with scikit-learn."""

from __future__ import annotations

import sklearn.datasets

import dlrun
from dlrun.data._bundled import bundled_table
from dlrun.data._dataset import Dataset
from dlrun.data._sources import DataContext
from dlrun.spec import Transforms


@dlrun.dataset("wine")
def wine(context: DataContext, *, numeric_transforms: Transforms = ["standardise"]) -> Dataset:  # noqa: B006
    """178 wines of 3 cultivars, 13 chemical measures; comes with scikit-learn, no file needed.

    `numeric_transforms`: in this order, learned from the training rows.
    Source: UCI wine recognition data, 1991.
    """
    bunch = sklearn.datasets.load_wine()
    return bundled_table(context, "wine", bunch, "cultivar", transforms=numeric_transforms)

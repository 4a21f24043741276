"""Trains from weights that no backend draws, for tests that compare backends."""

import numpy as np
import pytest

from dlrun.config.loading import config_from_mapping
from dlrun.engine import resolve
from dlrun.train import train


def history_from_stated_weights(backend, outputs):
    """The history of two epochs on digits, from weights drawn by NumPy."""
    build = resolve.build_model

    def build_stated(component, spec):
        model, random = build(component, spec), np.random.default_rng(1)
        model.set_weights([random.normal(0, 0.2, array.shape) for array in model.get_weights()])
        return model

    config = config_from_mapping(
        {
            "name": "stated",
            "data": "digits",
            "model": {"name": "mlp", "hidden": [16]},
            "training": {"epochs": 2, "batch_size": 115, "tensorboard": False},
            "runtime": {"backend": backend},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve, "build_model", build_stated)
        return train(config, outputs=outputs).history()

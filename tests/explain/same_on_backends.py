"""Writes what explanations compute of a model, for comparison: `python same_on_backends.py MODEL RESULT.npz`."""

import sys
from pathlib import Path

import numpy as np
from known_data import patched_pictures

from dlrun.engine.layers import all_layers
from dlrun.engine.model_files import load_model
from dlrun.explain._scores import Scorer
from dlrun.explain.activations import layer_outputs
from dlrun.explain.filters import Climb
from dlrun.explain.heatmaps import heat_maps
from dlrun.explain.saliency import input_gradients
from dlrun.spec import Task


def computed(path):
    """The numbers behind the pictures, by name."""
    model = load_model(path)
    before = [np.array(value) for value in model.get_weights()]
    pictures, classes = patched_pictures()[0][:4, :, :, None].astype("float32") / 255, np.array([0, 1, 0, 1])
    layers = all_layers(model)
    shapes, task = layers["base/shapes"], Task("binary", ("plain", "patch"))
    found = {f"activation {name}": values for name, values in layer_outputs(model, pictures, layers).items()}
    for target in ("logit", "probability"):
        scorer = Scorer(model, "y", task, None, target)
        found[f"map {target}"] = heat_maps(model, shapes, pictures, scorer, classes)
        found[f"slope {target}"] = input_gradients(model, pictures, scorer, classes)
    found["climbed"], _ = Climb(model, shapes, 1 / 255).run(pictures[0], [0, 5], 3)
    assert all((one == other).all() for one, other in zip(before, model.get_weights(), strict=True))
    return found


if __name__ == "__main__":
    np.savez(sys.argv[2], **computed(Path(sys.argv[1])))

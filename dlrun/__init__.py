"""dlrun runs deep-learning experiments from YAML. The decorators here register your own components."""

from dlrun.registry import CALLBACKS, DATASETS, MODELS, ROUTINES, TRANSFORMS

__version__ = "0.1.0"

dataset = DATASETS.register
transform = TRANSFORMS.register
model = MODELS.register
routine = ROUTINES.register
callback = CALLBACKS.register

__all__ = ["callback", "dataset", "model", "routine", "transform"]

"""What a model must know of its data: DataSpec and Task; and the book's table 4-1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

TaskKind = Literal["binary", "multiclass", "multilabel", "regression"]

# Annotations that builders use for arguments with a meaning of their own; config/ checks values by these names.
Activation = str | None  # the name of a Keras activation
Count = int  # 1 or more: units, filters, sizes
Row = int  # 0 or more
Fraction = float  # from 0 up to, not including, 1: rates of dropout
Regularizer = Any  # "l2", or a one-key mapping such as {L2: {l2: 0.001}}
Initializer = Any  # "he_normal", or a one-key mapping such as {RandomNormal: {stddev: 0.05}}
Optimizer = Any  # "adam", or a one-key mapping such as {RMSprop: {learning_rate: 0.001}}
Nodes = dict[str, Any]  # a graph of Keras layers, as dlrun.graphs reads it
Layers = list[Any]  # Keras layers: "Flatten", or one-key mappings such as {Dense: {units: 32}}
Transforms = list[Any]  # registered transforms: "standardise", or one-key mappings
Augment = dict[str, Any]  # random variations of training pictures: fields of Augmentation
WordVectors = Any  # a file of word vectors by its path; the builder gets an array (vocabulary_size, dimensions)
Estimator = Any  # an estimator of scikit-learn: "RandomForestClassifier", or {RandomForestClassifier: {...}}
BaseWeights = Any  # "imagenet", a path, {from_run: PATH} or None; the builder gets a path, arrays or None
DataPath = str  # a file or folder: beside the YAML file, in the data folders, or absolute


@dataclass(frozen=True)
class Augmentation:
    """Random variations of training pictures (DLwP 5.2.5), drawn anew for each picture, evenly within the bounds.

    `rotation` is in degrees to either side; the shifts are shares of the side, to either side; `shear` is in radians to
    either side; `zoom` 0.2 stretches height and width separately by 0.8 to 1.2. `fill_mode` says what lies outside.
    Meaning and units are those of Keras 2.0.8, which the book uses: there 0.2 of shear are 11.5 degrees; later
    versions take the number for degrees.
    """

    rotation: float = 0.0
    width_shift: Fraction = 0.0
    height_shift: Fraction = 0.0
    shear: float = 0.0
    zoom: Fraction = 0.0
    horizontal_flip: bool = False
    fill_mode: Literal["nearest", "constant", "reflect", "wrap"] = "nearest"
    interpolation: Literal["nearest", "bilinear"] = "nearest"


@dataclass(frozen=True)
class InputSpec:
    """One input of the model: `shape` without the batch axis, Keras `dtype`.

    `vocabulary_size` is the number of different word ids when the input holds ids.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"
    vocabulary_size: int | None = None


@dataclass(frozen=True)
class Head:
    """A row of table 4-1: the last layer, its loss and the metrics that suit it."""

    units: int
    activation: str | None
    loss: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What is to be predicted.

    `labels` are the class names in order of their index (for `binary` the second is the positive one; for `multilabel`
    one name per column); `outputs` is the number of values of a regression target. `unit` names the target's unit, and
    `one_hot` says that multiclass targets are rows of zeros and a one instead of integers.
    """

    kind: TaskKind
    labels: tuple[str, ...] = ()
    outputs: int = 1
    unit: str = ""
    one_hot: bool = False

    @property
    def head(self) -> Head:
        """The row of table 4-1 (DLwP 4.5.5) for this task."""
        if self.kind == "binary":
            return Head(1, "sigmoid", "binary_crossentropy", ("accuracy",))
        if self.kind == "multiclass":
            loss = "categorical_crossentropy" if self.one_hot else "sparse_categorical_crossentropy"
            return Head(len(self.labels), "softmax", loss, ("accuracy",))
        if self.kind == "multilabel":
            return Head(len(self.labels), "sigmoid", "binary_crossentropy", ("binary_accuracy",))
        return Head(self.outputs, None, "mse", ("mae",))

    @property
    def classifies(self) -> bool:
        return self.kind != "regression"


TABLE_4_1 = """\
task        last layer  loss                                       (DLwP table 4-1)
binary      1 sigmoid   binary_crossentropy
multiclass  n softmax   sparse_categorical_crossentropy (integer labels), categorical_crossentropy (one-hot)
multilabel  n sigmoid   binary_crossentropy
regression  n (none)    mse, mae, huber, ..."""


@dataclass(frozen=True)
class DataSpec:
    """Inputs and tasks by name; most data has one of each, reached by `input` and `task`."""

    inputs: dict[str, InputSpec]
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def input(self) -> InputSpec:
        """The only input. Raises ValueError when there are several."""
        (only,) = self.inputs.values()
        return only

    @property
    def task(self) -> Task:
        """The only task. Raises ValueError when there are several."""
        (only,) = self.tasks.values()
        return only

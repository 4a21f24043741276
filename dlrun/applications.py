"""The pretrained bases of `model: pretrained`: Keras applications, how they want pixels, and their ImageNet weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
# How a base wants pixels: tf -1 to 1; torch 0 to 1, then mean and deviation of ImageNet; caffe 0 to 255, BGR, less
# ImageNet's mean; bytes 0 to 255, since it scales them itself. The first three are Keras' names for them.
Scaling = Literal["tf", "torch", "caffe", "bytes"]


@dataclass(frozen=True)
class Application:
    """A base without its classes: the class in `keras.applications` (empty: dlrun's own), and its published weights.

    `weights` is the file's name as Keras has it, with `{alpha}` and `{rows}` where it has several; `file_hash` (MD5 or
    SHA-256) is empty where Keras knows none, and `folder` is that of the address; empty: there is none. `spellings` are
    the width multipliers and how the file's name spells them, `sides` of pictures those with a file of their own.
    """

    keras_name: str
    scaling: Scaling
    weights: str
    file_hash: str = ""
    folder: str = ""
    spellings: dict[float, str] = field(default_factory=dict)
    sides: tuple[int, ...] = ()

    def weights_file(self, alpha: float, side: int) -> str:
        """The file's name for a width multiplier and the side of square pictures, as Keras chooses it."""
        return self.weights.format(alpha=self.spellings.get(alpha, alpha), rows=side if side in self.sides else 224)

    def weights_files(self, alpha: float) -> list[str]:
        """The names for all sides, that for 224 pixels first."""
        return [self.weights_file(alpha, side) for side in (224, *self.sides)]


_NO_TOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"
# Hashes and addresses are those in Keras 3.15 (`keras/src/applications`), SqueezeNet's that of the Caffe port v1.1.
APPLICATIONS = {
    "vgg16": Application("VGG16", "caffe", f"vgg16_{_NO_TOP}", "6d6bbae143d832006294945121d1f1fc", f"{_KERAS}/vgg16"),
    "vgg19": Application("VGG19", "caffe", f"vgg19_{_NO_TOP}", "253f8cb515780f3b799900260a226db6", f"{_KERAS}/vgg19"),
    "resnet50": Application(
        "ResNet50", "caffe", f"resnet50_{_NO_TOP}", "4d473c1dd8becc155b73f8504c6f6626", f"{_KERAS}/resnet"
    ),
    "inception_v3": Application(
        *("InceptionV3", "tf", f"inception_v3_{_NO_TOP}", "bcbd6486424b2319ff4ef7d526e38f63"),
        folder=f"{_KERAS}/inception_v3",
    ),
    "xception": Application(
        "Xception", "tf", f"xception_{_NO_TOP}", "b0042744bf5b25fce3cb969f33bebb97", f"{_KERAS}/xception"
    ),
    "mobilenet": Application(
        *("MobileNet", "tf", "mobilenet_{alpha}_{rows}_tf_no_top.h5"),
        folder=f"{_KERAS}/mobilenet",
        spellings={0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"},
        sides=(128, 160, 192, 224),
    ),
    "mobilenet_v2": Application(
        *("MobileNetV2", "tf", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}_no_top.h5"),
        folder=f"{_KERAS}/mobilenet_v2",
        spellings={alpha: str(alpha) for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)},
        sides=(96, 128, 160, 192, 224),
    ),
    "densenet121": Application(
        "DenseNet121", "torch", f"densenet121_{_NO_TOP}", "30ee3e1110167f948a6b9946edeeb738", f"{_KERAS}/densenet"
    ),
    "efficientnet_b0": Application(
        *("EfficientNetB0", "bytes", "efficientnetb0_notop.h5", "50bc09e76180e00e4465e1a485ddc09d"),
        folder="https://storage.googleapis.com/keras-applications",
    ),
    "squeezenet": Application(
        *("", "caffe", f"squeezenet_{_NO_TOP}"),
        "17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da",
    ),
}

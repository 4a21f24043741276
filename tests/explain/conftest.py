"""Finished runs on data of which it is known what a model must look at."""

import numpy as np
import pytest
from known_data import NESTED, patched_pictures, texts_file

from dlrun.config.loading import config_from_mapping
from dlrun.explain import activations, heatmaps, importance, saliency
from dlrun.train import train


@pytest.fixture(autouse=True)
def _no_figures(request, monkeypatch):
    """Leaves figures aside where no test looks at them: to lay them out takes most of the time."""
    if "pictures" not in request.fixturenames:
        for module, name in (
            (heatmaps, "draw_map"),
            (saliency, "draw_map"),
            (saliency, "draw_plane"),
            (activations, "draw_plane"),
            (importance, "draw_importances"),
        ):
            monkeypatch.setattr(module, name, lambda *_arguments, **_options: None)


def trained(folder, **keys):
    """A finished run below `folder`."""
    defaults = {"training": {"epochs": 8, "batch_size": 32, "tensorboard": False}, "seed": 2}
    defaults |= {"split": {"validation": 0.2, "test": 0.1}, "optimizer": {"name": "adam", "learning_rate": 0.005}}
    return train(config_from_mapping({"runtime": {"jit_compile": False}, **defaults, **keys}), outputs=folder)


@pytest.fixture(scope="session")
def patches(tmp_path_factory):
    """The folder of the runs `plain` and `nested` on pictures with a patch, both trained here."""
    folder = tmp_path_factory.mktemp("patches")
    pictures, labels, _ = patched_pictures()
    np.savez(folder / "pictures.npz", x=pictures, y=labels)
    (folder / "nested.py").write_text(NESTED)
    data = {"name": "npz", "path": str(folder / "pictures.npz"), "labels": ["plain", "patch"]}
    convolution = {"kernel_size": 3, "activation": "relu"}
    layers = [{"Conv2D": {"filters": 8, **convolution}}, "MaxPooling2D", {"Conv2D": {"filters": 16, **convolution}}]
    convnet = {"name": "layers", "layers": [*layers, "GlobalMaxPooling2D"]}
    return {
        "plain": trained(folder, name="plain", data=data, model=convnet),
        "nested": trained(folder, name="nested", data=data, model="nested", plugins=[str(folder / "nested.py")]),
    }


@pytest.fixture(scope="session")
def table_run(tmp_path_factory):
    """A run on a table whose column `tells` alone tells the class."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(4)
    tells, noise, town = random.normal(size=300), random.normal(size=300), random.choice(["Rome", "Bern"], 300)
    lines = [f"{a:.4f},{b:.4f},{c},{'yes' if a > 0 else 'no'}" for a, b, c in zip(tells, noise, town, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["tells,noise,town,bought", *lines]) + "\n")
    data = {"name": "csv", "path": str(folder / "rows.csv"), "target": "bought"}
    return trained(folder, name="table", data=data, model={"name": "mlp", "hidden": [8]})


@pytest.fixture(scope="session", params=["sequence", "multi_hot", pytest.param("one_hot", marks=pytest.mark.slow)])
def texts_run(request, tmp_path_factory):
    """A run on texts of which one word tells the class."""
    folder = tmp_path_factory.mktemp("texts")
    encoding = request.param
    data = {"name": "text_csv", "path": str(texts_file(folder)), "text": "text", "label": "label", "num_words": 40}
    data |= {"encoding": encoding, "maxlen": 12}
    embedded = ["GlobalMaxPooling1D"] if encoding == "one_hot" else []
    if encoding == "sequence":
        embedded = [{"Embedding": {"input_dim": 40, "output_dim": 4}}, "GlobalAveragePooling1D"]
    fast = {"name": "adam", "learning_rate": 0.1}
    return trained(folder, name="texts", data=data, model={"name": "layers", "layers": embedded}, optimizer=fast)

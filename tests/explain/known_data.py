"""Data of which it is known what a model must look at."""

import numpy as np

SIDE, PATCH = 24, 6
NESTED = '''
import keras

import dlrun


@dlrun.model("nested")
def nested(spec):
    """A base inside of a model."""
    pictures = keras.Input((24, 24, 1))
    features = keras.layers.Conv2D(8, 3, activation="relu", name="edges")(pictures)
    features = keras.layers.MaxPooling2D(2)(features)
    features = keras.layers.Conv2D(16, 3, activation="relu", name="shapes")(features)
    base = keras.Model(pictures, features, name="base")
    inputs = keras.Input(spec.input.shape)
    features = keras.layers.Rescaling(2.0, offset=-1.0)(inputs)
    features = keras.layers.GlobalMaxPooling2D()(base(features))
    outputs = keras.layers.Dense(1)(features)
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(outputs))
'''


def patched_pictures(rows=400):
    """Grey noise `(rows, 24, 24)`; every second picture has a bright patch, at `places` `(rows, 2)`."""
    random = np.random.default_rng(3)
    pictures = random.integers(60, 140, (rows, SIDE, SIDE))
    places = random.integers(3, SIDE - PATCH - 2, (rows, 2))
    labels = np.arange(rows) % 2
    for picture, (top, left) in zip(pictures[1::2], places[1::2], strict=True):
        picture[top : top + PATCH, left : left + PATCH] = random.integers(200, 256, (PATCH, PATCH))
    return pictures.astype("uint8"), labels, places


def texts_file(folder, rows=300):
    """Texts of common words, of which those of one class have the word `splendid`."""
    random = np.random.default_rng(5)
    common = ["the", "film", "was", "about", "man", "and", "his", "dog", "in", "town", "by", "night"]
    lines = ["text,label"]
    for row in range(rows):
        words = list(random.choice(common, 8))
        if row % 2:
            words.insert(int(random.integers(9)), "splendid")
        lines.append(f"{' '.join(words)},{'good' if row % 2 else 'bad'}")
    (folder / "texts.csv").write_text("\n".join(lines) + "\n")
    return folder / "texts.csv"

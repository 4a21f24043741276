"""Boston house prices at batch size 1: the first of the four folds of DLwP 3.6 (listings 3-24 to 3-28).

As in the book, mean and deviation are those of all 404 rows, and the first 101 rows validate.
"""

import os

from keras import layers, models
from keras.datasets import boston_housing

EPOCHS = int(os.environ.get("EPOCHS", 100))

(train_data, train_targets), _ = boston_housing.load_data()
train_data -= train_data.mean(axis=0)
train_data /= train_data.std(axis=0)


def build_model():
    model = models.Sequential()
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(1))
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    return model


num_val_samples = len(train_data) // 4
val_data, val_targets = train_data[:num_val_samples], train_targets[:num_val_samples]
partial_train_data, partial_train_targets = train_data[num_val_samples:], train_targets[num_val_samples:]

model = build_model()
model.fit(
    partial_train_data,
    partial_train_targets,
    epochs=EPOCHS,
    batch_size=1,
    validation_data=(val_data, val_targets),
    verbose=2,
)

"""Boston house prices, four folds of 500 epochs at batch size 1: DLwP 3.6.4, listings 3-28 to 3-30.

Unlike the listing it prints a line after each epoch instead of nothing, so that epochs can be timed.
"""

import os

import numpy as np
from keras import layers, models
from keras.datasets import boston_housing

EPOCHS = int(os.environ.get("EPOCHS", 500))

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


k = 4
num_val_samples = len(train_data) // k
all_mae_histories = []
for i in range(k):
    val_data = train_data[i * num_val_samples : (i + 1) * num_val_samples]
    val_targets = train_targets[i * num_val_samples : (i + 1) * num_val_samples]
    partial_train_data = np.concatenate(
        [train_data[: i * num_val_samples], train_data[(i + 1) * num_val_samples :]], axis=0
    )
    partial_train_targets = np.concatenate(
        [train_targets[: i * num_val_samples], train_targets[(i + 1) * num_val_samples :]], axis=0
    )
    model = build_model()
    history = model.fit(
        partial_train_data,
        partial_train_targets,
        validation_data=(val_data, val_targets),
        epochs=EPOCHS,
        batch_size=1,
        verbose=2,
    )
    all_mae_histories.append(history.history["val_mae"])

average_mae_history = [np.mean([x[i] for x in all_mae_histories]) for i in range(EPOCHS)]
print("best epoch", int(np.argmin(average_mae_history)) + 1)

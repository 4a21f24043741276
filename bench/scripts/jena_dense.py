"""Temperature a day ahead, dense net, as DLwP 6.3 prints it (listings 6-28 to 6-34, 6-37).

On the station's file of 2024, which has 19,132 rows: 9,984 windows train (78 steps, not 500) and 2,304 validate.
"""

import os
from pathlib import Path

import numpy as np
from keras import layers, models
from keras.optimizers import RMSprop

EPOCHS = int(os.environ.get("EPOCHS", 4))
TRAIN_END = 11424  # 1440 + 78 * 128
VAL_END = 15169  # 1440 + 18 * 128 rows on, and one that the printed generator never reaches

path = Path(os.environ["DLRUN_DATA"], "jena_climate", "jena_roof_2024_14features.csv")
lines = path.read_text().strip().split("\n")[1:]
float_data = np.zeros((len(lines), 14))
for i, line in enumerate(lines):
    float_data[i, :] = [float(x) for x in line.split(",")[1:]]

mean = float_data[:TRAIN_END].mean(axis=0)
float_data -= mean
std = float_data[:TRAIN_END].std(axis=0)
float_data /= std


def generator(data, lookback, delay, min_index, max_index, shuffle=False, batch_size=128, step=6):
    if max_index is None:
        max_index = len(data) - delay - 1
    i = min_index + lookback
    while 1:
        if shuffle:
            rows = np.random.randint(min_index + lookback, max_index, size=batch_size)
        else:
            if i + batch_size >= max_index:
                i = min_index + lookback
            rows = np.arange(i, min(i + batch_size, max_index))
            i += len(rows)
        samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
        targets = np.zeros((len(rows),))
        for j, row in enumerate(rows):
            indices = range(row - lookback, row, step)
            samples[j] = data[indices]
            targets[j] = data[row + delay][1]
        yield samples, targets


lookback, step, delay, batch_size = 1440, 6, 144, 128
train_gen = generator(float_data, lookback, delay, 0, TRAIN_END, shuffle=True, step=step, batch_size=batch_size)
val_gen = generator(float_data, lookback, delay, TRAIN_END, VAL_END, step=step, batch_size=batch_size)
train_steps = (TRAIN_END - lookback) // batch_size
val_steps = (VAL_END - TRAIN_END - lookback) // batch_size

model = models.Sequential()
model.add(layers.Flatten())
model.add(layers.Dense(32, activation="relu"))
model.add(layers.Dense(1))
model.compile(optimizer=RMSprop(), loss="mae")
model.fit(
    train_gen,
    steps_per_epoch=train_steps,
    epochs=EPOCHS,
    validation_data=val_gen,
    validation_steps=val_steps,
    verbose=2,
)

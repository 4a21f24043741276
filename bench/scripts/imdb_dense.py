"""IMDB reviews as multi-hot rows and a dense net, as DLwP 3.4 prints it (listings 3-1 to 3-8).

The test reviews are not turned into rows, since nothing here uses them.
"""

import os

import numpy as np
from keras import layers, models
from keras.datasets import imdb

EPOCHS = int(os.environ.get("EPOCHS", 20))

(train_data, train_labels), _ = imdb.load_data(num_words=10000)


def vectorize_sequences(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x_train = vectorize_sequences(train_data)
y_train = np.asarray(train_labels).astype("float32")

model = models.Sequential()
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(16, activation="relu"))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])

x_val, partial_x_train = x_train[:10000], x_train[10000:]
y_val, partial_y_train = y_train[:10000], y_train[10000:]
model.fit(partial_x_train, partial_y_train, epochs=EPOCHS, batch_size=512, validation_data=(x_val, y_val), verbose=2)

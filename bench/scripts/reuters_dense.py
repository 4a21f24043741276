"""Reuters newswires as multi-hot rows and a dense net, as DLwP 3.5 prints it (listings 3-12 to 3-18).

The test newswires are not turned into rows, since nothing here uses them.
"""

import os

import numpy as np
from keras import layers, models
from keras.datasets import reuters
from keras.utils import to_categorical

EPOCHS = int(os.environ.get("EPOCHS", 20))

(train_data, train_labels), _ = reuters.load_data(num_words=10000)


def vectorize_sequences(sequences, dimension=10000):
    results = np.zeros((len(sequences), dimension))
    for i, sequence in enumerate(sequences):
        results[i, sequence] = 1.0
    return results


x_train = vectorize_sequences(train_data)
one_hot_train_labels = to_categorical(train_labels)

model = models.Sequential()
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(46, activation="softmax"))
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])

x_val, partial_x_train = x_train[:1000], x_train[1000:]
y_val, partial_y_train = one_hot_train_labels[:1000], one_hot_train_labels[1000:]
model.fit(partial_x_train, partial_y_train, epochs=EPOCHS, batch_size=512, validation_data=(x_val, y_val), verbose=2)

"""Handwritten digits and a dense net, as DLwP 2.1 prints it (listings 2-1 to 2-5).

The book trains on all 60,000 images and validates nothing; here the last tenth of them validates.
"""

import os

from keras import layers, models
from keras.datasets import mnist
from keras.utils import to_categorical

EPOCHS = int(os.environ.get("EPOCHS", 5))
ROWS = int(os.environ.get("ROWS", 60000))

(train_images, train_labels), _ = mnist.load_data()
train_images, train_labels = train_images[:ROWS], train_labels[:ROWS]

network = models.Sequential()
network.add(layers.Dense(512, activation="relu"))
network.add(layers.Dense(10, activation="softmax"))
network.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])

train_images = train_images.reshape((len(train_images), 28 * 28)).astype("float32") / 255
train_labels = to_categorical(train_labels)

network.fit(train_images, train_labels, epochs=EPOCHS, batch_size=128, validation_split=0.1, verbose=2)

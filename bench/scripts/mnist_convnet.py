"""Handwritten digits and a convnet, as DLwP 5.1 prints it (listings 5-1 to 5-3).

The book trains on all 60,000 images and validates nothing; here the last tenth of them validates.
"""

import os

from keras import layers, models
from keras.datasets import mnist
from keras.utils import to_categorical

EPOCHS = int(os.environ.get("EPOCHS", 2))
ROWS = int(os.environ.get("ROWS", 60000))

model = models.Sequential()
model.add(layers.Conv2D(32, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation="relu"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Conv2D(64, (3, 3), activation="relu"))
model.add(layers.Flatten())
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))

(train_images, train_labels), _ = mnist.load_data()
train_images, train_labels = train_images[:ROWS], train_labels[:ROWS]
train_images = train_images.reshape((len(train_images), 28, 28, 1)).astype("float32") / 255
train_labels = to_categorical(train_labels)

model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(train_images, train_labels, epochs=EPOCHS, batch_size=64, validation_split=0.1, verbose=2)

"""The last 20 words of IMDB reviews, embedded in 8 dimensions, as DLwP 6.1.2 prints it (listings 6-6, 6-7)."""

import os

from keras import layers, models
from keras.datasets import imdb
from keras.utils import pad_sequences

EPOCHS = int(os.environ.get("EPOCHS", 4))
ROWS = int(os.environ.get("ROWS", 25000))
max_features = 10000
maxlen = 20

(x_train, y_train), _ = imdb.load_data(num_words=max_features)
x_train, y_train = x_train[:ROWS], y_train[:ROWS]
x_train = pad_sequences(x_train, maxlen=maxlen)

model = models.Sequential()
model.add(layers.Embedding(10000, 8))
model.add(layers.Flatten())
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
model.fit(x_train, y_train, epochs=EPOCHS, batch_size=32, validation_split=0.2, verbose=2)

"""500 words of IMDB reviews and an LSTM, as DLwP 6.2.3 prints it (listings 6-22, 6-27)."""

import os

from keras import layers, models
from keras.datasets import imdb
from keras.utils import pad_sequences

EPOCHS = int(os.environ.get("EPOCHS", 2))
ROWS = int(os.environ.get("ROWS", 25000))
max_features = 10000
maxlen = 500

(input_train, y_train), _ = imdb.load_data(num_words=max_features)
input_train, y_train = input_train[:ROWS], y_train[:ROWS]
input_train = pad_sequences(input_train, maxlen=maxlen)

model = models.Sequential()
model.add(layers.Embedding(max_features, 32))
model.add(layers.LSTM(32))
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
model.fit(input_train, y_train, epochs=EPOCHS, batch_size=128, validation_split=0.2, verbose=2)

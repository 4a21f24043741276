"""500 words of IMDB reviews and a 1D convnet, as DLwP 6.4.2 prints it (listings 6-45, 6-46).

With the sigmoid that the printed last layer lacks: without it the loss clips the output and learning can stop.
"""

import os

from keras import layers, models
from keras.datasets import imdb
from keras.optimizers import RMSprop
from keras.utils import pad_sequences

EPOCHS = int(os.environ.get("EPOCHS", 2))
ROWS = int(os.environ.get("ROWS", 25000))
max_features = 10000
max_len = 500

(x_train, y_train), _ = imdb.load_data(num_words=max_features)
x_train, y_train = x_train[:ROWS], y_train[:ROWS]
x_train = pad_sequences(x_train, maxlen=max_len)

model = models.Sequential()
model.add(layers.Embedding(max_features, 128))
model.add(layers.Conv1D(32, 7, activation="relu"))
model.add(layers.MaxPooling1D(5))
model.add(layers.Conv1D(32, 7, activation="relu"))
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(1, activation="sigmoid"))
model.compile(optimizer=RMSprop(learning_rate=1e-4), loss="binary_crossentropy", metrics=["acc"])
model.fit(x_train, y_train, epochs=EPOCHS, batch_size=128, validation_split=0.2, verbose=2)

"""Scalars of a run for TensorBoard, under the names that `keras.callbacks.TensorBoard` gives them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


class ScalarLog:
    """Event files `train/` and `validation/` with one value per metric and epoch.

    Keras' callback writes each epoch when it ends, through TensorFlow, 1 ms and more each time; this one writes many at
    once, with any backend.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}
        self._written = 0  # rows of the history

    def write(self, history: list[dict[str, float]]) -> None:
        """Write the rows of `history` (epoch 1 first) that are not written yet."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for epoch in range(self._written, len(history)):
            for part, prefix in (("train", ""), ("validation", "val_")):
                values = [
                    Summary.Value(tag=f"epoch_{name.removeprefix(prefix)}", simple_value=value)
                    for name, value in history[epoch].items()
                    if name.startswith("val_") == (part == "validation")
                ]
                if values:
                    event = Event(wall_time=time.time(), step=epoch, summary=Summary(value=values))
                    self._writer(part).add_event(event)
        for writer in self._writers.values():
            writer.flush()
        self._written = len(history)

    def skip(self, epochs: int) -> None:
        """Take the first epochs as written: by the process that this one goes on from."""
        self._written = epochs

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter

            self._writers[part] = EventFileWriter(str(self._folder / part))
        return self._writers[part]

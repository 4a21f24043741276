"""The values of trials for TensorBoard's HParams page, beside the scalars of their runs."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlrun.config.dumping import flow
from dlrun.files import write_bytes


def write(trials: Iterable[tuple[Path, dict[str, Any]]]) -> None:
    """For each run's folder `tensorboard/`: the values of its trial, once. A run without that folder is passed over."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter  # EventFileWriter would import TensorFlow

    for folder, values in trials:
        if not folder.is_dir() or any(folder.glob("events.*")):
            continue
        plain = {name: flow(value) if isinstance(value, list | dict) else value for name, value in values.items()}
        now = time.time()
        content = io.BytesIO()
        writer = RecordWriter(content)
        writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        writer.write(Event(wall_time=now, summary=hparams_pb(plain)).SerializeToString())
        write_bytes(folder / "events.out.tfevents.hparams", content.getvalue())

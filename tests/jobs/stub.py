"""Stands in for `dlrun train CONFIG --run-dir DIR`: notes when it had its device, and completes a run directory.

The device is locked meanwhile; whoever finds it locked leaves a file `overlap`.
"""

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

run_dir, base = Path(sys.argv[-1]), Path(os.environ["STUB"])
device = os.environ["CUDA_VISIBLE_DEVICES"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))


def note(name):
    with (base / name).open("a") as stream:
        stream.write(f"{device} {run_dir.name}\n")


with (base / f"{device}.lock").open("w") as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        note("overlap")
    time.sleep(float(os.environ.get("STUB_SECONDS", "0.01")))
    run_dir.mkdir(parents=True, exist_ok=True)
    note("finished")
    temporary = run_dir / "run.tmp"
    temporary.write_text(json.dumps({"format": 1, "status": "completed"}))
    temporary.rename(run_dir / "run.json")

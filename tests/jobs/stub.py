"""Stands in for `dlrun train CONFIG --run-dir DIR`: holds its device for a while and completes the run directory.

The device is a lock of the system; who finds it locked notes it in the file `overlap`, and in `again` who finds the run
completed.
"""

import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

STUB = (sys.executable, "-I", "-S", __file__)
if sys.argv[1:2] == ["worker"]:  # a process that works on the queue with this very file in the place of dlrun
    from dlrun.jobs.leases import Box
    from dlrun.jobs.queue import Queue
    from dlrun.jobs.working import Orders, work

    work(Queue(Path(sys.argv[2])), Box(tuple("abcd"), at_once=4), Orders(warm=False, program=(*STUB,)))
    sys.exit()

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
    if (run_dir / "run.json").exists():
        note("again")
    time.sleep(float(os.environ.get("STUB_SECONDS", "0.01")))
    run_dir.mkdir(parents=True, exist_ok=True)
    temporary = run_dir / "run.tmp"
    temporary.write_text(json.dumps({"format": 1, "status": "completed"}))
    temporary.rename(run_dir / "run.json")

"""`make faults`, second part: the disk is full at every change of a file that a run makes.

    python tests/faults/many_failures.py

Each change (opening for writing, mkdir, rename, remove, rmdir, fsync) is refused with ENOSPC once, and another time
together with all that follow; then no file may grow beyond each of the sizes that files of the run have. Afterwards
each run is resumed and compared with the uninterrupted one. The exit code is 1 unless all of them end equal.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from failing import fail_and_resume, no_space, refuse, sizes
from fork_server import ForkServer
from killing import Story, Whole, train_whole


def plan(whole: Whole, stride: int) -> list[tuple[str, dict[str, Any], str]]:
    """What is refused in words, the fault, and the reason that the message must give."""
    planned: list[tuple[str, dict[str, Any], str]] = []
    for number in range(0, len(whole.changes), stride):
        for lasting in (False, True):
            said = f"{whole.changes[number]}{' and all after it' if lasting else ''}"
            planned.append((said, refuse(whole, number, lasting=lasting), no_space()))
    return planned + [(f"no file above {size:,} bytes", {"largest_file": size}, "") for size in sizes(whole)]


def main() -> int:
    """Print a line per run and the sum; the exit code is 0 when all runs are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stride", type=int, default=1, help="take every n-th change only")
    parser.add_argument("--slots", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="faults-"))
    server = ForkServer(folder)
    whole = train_whole(server, folder / "case", "dropout", "whole_epoch", epochs=3)

    def tell(planned: tuple[int, tuple[str, dict[str, Any], str]]) -> Story:
        number, (said, fault, reason) = planned
        story = fail_and_resume(server, whole, folder / "runs" / f"{number:03d}", fault, reason)
        outcome = "failed, resumed, equal" if story.kills else "went on, equal"
        if not story.equal:
            outcome = f"NOT EQUAL: {', '.join(story.differences + story.troubles)}"
        print(f"{number:03d}  {said:60}{outcome}", flush=True)
        return story

    with ThreadPoolExecutor(options.slots) as pool:
        stories = list(pool.map(tell, enumerate(plan(whole, options.stride))))
    server.close()
    equal = sum(story.equal for story in stories)
    print(f"{equal} of {len(stories)} equal, {time.monotonic() - began:.0f} s; runs in {folder}")
    return 0 if equal == len(stories) else 1


if __name__ == "__main__":
    sys.exit(main())

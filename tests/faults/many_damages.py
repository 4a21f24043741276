"""`make faults`, third part: every file and folder of two runs damaged in every way, and every verb asked about it.

    python tests/faults/many_damages.py

One run is finished, one was stopped after half its epochs. The exit code is 0 when each answer is right or says what is
damaged, and each resume is refused or ends equal to the uninterrupted run.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from damaging import VERBS, all_looks, make_subjects, settle


def main() -> int:
    """Print what is wrong, a line per run and verb, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verb", choices=VERBS, action="append")
    parser.add_argument("--run", choices=("finished", "interrupted"), action="append")
    parser.add_argument("--stride", type=int, default=1, help="take every n-th damage only")
    options = parser.parse_args()
    settle()
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="faults-"))
    os.environ["DLRUN_CACHE"] = str(folder / "cache")
    subjects = make_subjects(folder)
    counts: collections.Counter[bool] = collections.Counter()
    for kind in options.run or subjects:
        for verb in options.verb or VERBS:
            start, before = time.monotonic(), counts.copy()
            for name, how, problem in all_looks(subjects[kind], verb, options.stride):
                counts[problem is None] += 1
                if problem:
                    print(f"  {verb}, {name} {how}: {problem[:300]}", flush=True)
            done = counts - before
            print(
                f"{kind:12}{verb:10}{done[True]} of {done.total()} right, {time.monotonic() - start:.0f} s", flush=True
            )
    print(f"{counts[True]} of {counts.total()} right, {time.monotonic() - began:.0f} s")
    return 0 if not counts[False] else 1


if __name__ == "__main__":
    sys.exit(main())

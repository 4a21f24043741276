"""`make faults`, first part: many runs killed and resumed, in every mode, with every net, at every epoch boundary.

    python tests/faults/many_kills.py --runs 60 --seed 1

Each case is trained once without interruption. Its killed runs die first at the end of epoch 1, 2, ... (until every
boundary has had its turn; then at drawn moments), and up to twice more at moments drawn from the seed: seconds after
the start, changes of files, ends of epochs. The exit code is 1 unless all of them end equal.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from cases import MODES, NETS
from fork_server import ForkServer
from killing import Kill, Story, Whole, draw_kills, kill_and_resume, train_whole


def plan(wholes: list[Whole], runs: int, seed: int) -> Iterator[tuple[Whole, str, list[Kill]]]:
    """The case, a name and the kills of each run, the cases in turn."""
    for number in range(runs):
        whole, turn = wholes[number % len(wholes)], number // len(wholes)
        first: Kill | None = {"kill": {"epoch": turn + 1}} if turn < whole.epochs else None
        yield whole, f"{number:03d}", draw_kills(whole, 1000 * seed + number, first)


def main() -> int:
    """Print a line per run and the sum; the exit code is 0 when all runs are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slots", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="faults-"))
    server = ForkServer(folder)
    wholes = [train_whole(server, folder / f"{net}_{mode}", net, mode) for net in NETS for mode in MODES]

    def tell(planned: tuple[Whole, str, list[Kill]]) -> Story:
        whole, name, kills = planned
        story = kill_and_resume(server, whole, folder / "runs" / whole.config.stem / name, kills)
        said = "equal" if story.equal else f"NOT EQUAL: {', '.join(story.differences + story.troubles)}"
        print(f"{name}  {whole.config.stem:26}{story.kills} of {len(kills)} kills  {said}", flush=True)
        return story

    with ThreadPoolExecutor(options.slots) as pool:
        stories = list(pool.map(tell, plan(wholes, options.runs, options.seed)))
    server.close()
    equal, kills = sum(story.equal for story in stories), sum(story.kills for story in stories)
    print(f"{equal} of {len(stories)} equal after {kills} kills, {time.monotonic() - began:.0f} s; runs in {folder}")
    return 0 if equal == len(stories) else 1


if __name__ == "__main__":
    sys.exit(main())

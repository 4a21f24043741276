"""`python -m bench.parent_memory`: does the memory of what starts runs grow with their number?

100 runs of digits, of two epochs each, from one warm worker; resident memory of the process that starts them and of the
worker (VmRSS) after the 10th run, and at the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.jobs.job import Job
from dlrun.jobs.local import JobResult, run_jobs

DIGITS = Path(__file__).parents[1] / "configs" / "digits.yaml"


def main(runs: int = 100, slots: int = 2) -> None:
    """Print a line after every tenth run."""
    ended = 0

    def tell(result: JobResult) -> None:
        nonlocal ended
        ended += 1
        if result.exit_code:
            raise SystemExit(f"{result.job.run_dir} ended with {result.exit_code}")
        if ended % 10 == 0:
            worker = max(_children(), key=_resident_mib)
            print(f"{ended} runs: parent {_resident_mib(os.getpid()):.1f} MiB, worker {_resident_mib(worker):.1f} MiB")

    with TemporaryDirectory(prefix="dlrun-bench-") as folder:
        jobs = []
        for number in range(runs):
            options = [f"seed={number}", "training.epochs=2", "training.tensorboard=false", "runtime.threads=1"]
            file = Path(folder) / f"{number}.yaml"
            file.write_text(dump_config(load_config(DIGITS, options)), encoding="utf-8")
            jobs.append(Job(file, Path(folder) / f"run-{number}"))
        run_jobs(jobs, slots, warm=True, on_end=tell)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()

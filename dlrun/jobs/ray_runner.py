"""One run on a node of a Ray cluster: what the node does. Plain Python; `ray_engine` makes an actor of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ASIDE = ".ray"  # beside the runs of a folder: what is there for a while only
PYTHON = "{python}"
PIECE_BYTES = 8 * 2**20  # of a file that travels
# The process ends when whoever started it is gone, however that ended: its node was lost, and another goes on.
_GUARD = ["/bin/sh", "-c", 'exec 3<&0; (read end <&3 || kill -9 $$) & exec "$@" </dev/null 3<&-', "sh"]
_NOT_KEPT = (".lock", ".*.tmp*")  # of a run directory: only the process that made them knows them
_OF_RAY = "OMP_NUM_THREADS"  # Ray sets it for its workers; a run has `runtime.threads`
_OF_NODE = ("DLRUN_DATA",)  # where a node has its own value, that is right

Listing = dict[str, tuple[int, int, int]]  # name: inode, time of change (ns), bytes


class Runner:
    """Runs one command in `folder`, where the run directory `run_id` lies with its config beside it.

    `token` is the name of a file in its `.ray`: where it is seen, the folder is that of the submitter. Elsewhere the
    folder is a copy at the same path, into which the submitter writes and out of which it reads. `gpu`: the run has a
    GPU or more, which Ray has put into this process' environment.
    """

    def __init__(self, folder: str, run_id: str, token: str, *, gpu: bool) -> None:
        self._folder, self._run_id = Path(folder), run_id
        self._run_dir = self._folder / run_id
        self._links = self._folder / ASIDE / f"{run_id}.snapshot"
        self._token, self._gpu = self._folder / ASIDE / token, gpu
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> str | None:
        """None where this node sees the submitter's folder. Elsewhere an empty copy is made, and a mark, whose name is
        returned: what lies here of the run may be removed. Raises OSError.
        """
        with contextlib.suppress(OSError):
            list(self._token.parent.iterdir())  # so that a network disk looks again
        if self._token.exists():
            return None
        self.clean()
        if self._run_dir.exists():
            raise FileExistsError(17, "File exists, and no other run has brought it here", str(self._run_dir))
        mark = self._links.with_name(f"{self._run_id}.copy-{secrets.token_hex(8)}")
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return mark.name

    def write(self, name: str, offset: int, content: bytes) -> None:
        """A piece of a file of the copy. Raises OSError."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if offset else "wb") as stream:
            stream.seek(offset)
            stream.write(content)

    def start(self, command: list[str], told: Mapping[str, str], cwd: str) -> None:
        """Start the command; `told` are environment variables of the submitter. Raises OSError.

        `{python}` in the command is the Python of this node.
        """
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "") if self._gpu else ""
        variables = {key: value for key, value in os.environ.items() if key != _OF_RAY}
        variables |= {key: value for key, value in told.items() if key not in _OF_NODE or key not in variables}
        variables |= {"CUDA_VISIBLE_DEVICES": devices or "-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        with self._output.open("ab") as stream:
            stream.write(f"on {socket.gethostname()}{', GPU ' * bool(devices)}{devices}\n".encode())
            stream.flush()
            self._process = subprocess.Popen(
                [*_GUARD, *(sys.executable if part == PYTHON else part for part in command)],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                env=variables,
                cwd=cwd if Path(cwd).is_dir() else self._folder,
            )

    @property
    def _output(self) -> Path:
        return self._folder / f"{self._run_id}.out"

    def wait(self, seconds: float) -> int | None:
        """The exit code, minus the number of the signal that ended it; None when it still runs after so long."""
        assert self._process
        try:
            exit_code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        assert self._process.stdin
        with contextlib.suppress(OSError, ValueError):  # the guard was told already, or is gone
            self._process.stdin.write(b"end\n")
            self._process.stdin.close()
        return exit_code

    def terminate(self) -> None:
        """Ask the run to write a checkpoint and end."""
        self._signal(signal.SIGTERM)

    def snapshot(self) -> Listing:
        """The files of the run as they are now, held for `read`: as if it was killed at this moment.

        Files are replaced and never changed, logs grow; so a second name for each is enough, and the run stands still
        for no longer than that takes.
        """
        shutil.rmtree(self._links, ignore_errors=True)
        self._signal(signal.SIGSTOP)
        try:
            if self._process is not None and self._process.poll() is None:  # until its threads stand still, or it ends
                os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if self._run_dir.exists():
                ignored = shutil.ignore_patterns(*_NOT_KEPT)
                shutil.copytree(self._run_dir, self._links, copy_function=os.link, ignore=ignored)
        finally:
            self._signal(signal.SIGCONT)
        return listing(self._links)

    def read(self, name: str, offset: int, count: int) -> bytes:
        """A piece of a file of the last snapshot. Raises OSError."""
        return read_piece(self._links / name, offset, count)

    def printed(self, offset: int) -> bytes:
        """A piece of what the process has printed, from this byte on."""
        return read_piece(self._output, offset, PIECE_BYTES) if self._output.exists() else b""

    def clean(self) -> None:
        """Remove what lies here of the run, if it is marked as a copy."""
        marks = list(self._links.parent.glob(f"{self._run_id}.copy-*"))
        for path in files_of(self._run_dir) if marks else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(self._links, ignore_errors=True)
        for mark in marks:
            mark.unlink()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


def listing(folder: Path) -> Listing:
    """Every file below a folder, by its name relative to it."""
    files = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in files}


def files_of(run_dir: Path) -> list[Path]:
    """What there is of a run: its directory, and what lies beside it under its name."""
    return sorted(
        path for path in run_dir.parent.glob(f"{run_dir.name}*") if path.name.partition(".")[0] == run_dir.name
    )


def read_piece(path: Path, offset: int, count: int) -> bytes:
    """So many bytes of a file, fewer at its end."""
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(count)

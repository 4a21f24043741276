"""One run on a node of a Ray cluster, as the submitter follows it: a thread that starts it, watches it, and brings it
back when the node does not see our folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.errors import DlrunError
from dlrun.files import first_line, write_bytes, write_text
from dlrun.jobs.endings import NODE_LOST, output_of
from dlrun.jobs.job import Job
from dlrun.jobs.ray_runner import ASIDE, PIECE_BYTES, PYTHON, Listing, files_of, read_piece
from dlrun.jobs.starting import LOST
from dlrun.machine import steering_variables
from dlrun.run_dir import RunDir

DLRUN = (PYTHON, "-P", "-m", "dlrun")  # what has travelled, not what lies in the node's current folder
LOOK_SECONDS = 0.5
BRING_SECONDS = 10.0  # between two snapshots of a run on a node with folders of its own; more where one takes long
_SHARE = 20  # a snapshot may take a twentieth of the time
_STOPPED = 75


class RayRun:
    """A run somewhere in the cluster, or one that waits for Ray to have room."""

    pid = None  # its process is none of this machine's

    def __init__(self, job: Job, command: Sequence[str], make_actor: Callable[[], Any]) -> None:
        self._job, self._command, self._make_actor = job, [*command], make_actor
        self._asked = threading.Event()
        self._exit_code = 1
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def go(self) -> None:
        """Ask Ray for a place."""
        self._thread.start()

    def poll(self) -> int | None:
        """The exit code, `NODE_LOST` when the node went away with the run; None while it runs or waits."""
        return None if self._thread.is_alive() else self._exit_code

    def terminate(self) -> None:
        """Ask the run to write a checkpoint and end."""
        self._asked.set()

    def _supervise(self) -> None:
        import ray

        actor, failure = None, None
        try:
            _plugins_beside(self._job)
            actor = self._make_actor()
            self._exit_code = self._follow(actor)
        except ray.exceptions.RayActorError as error:
            failure = f"[ray] {str(error).splitlines()[-1].strip()}"
            self._exit_code = NODE_LOST if "node has died" in str(error) else LOST
        except Exception as error:  # the supervisor of a job: whatever it is, the run has failed with it
            failure = f"error: {_said(error)}"
        if actor is not None:
            ray.kill(actor)
        if failure is not None:
            self._job.give_up()
            with output_of(self._job.run_dir).open("a", encoding="utf-8") as stream:
                stream.write(f"{failure}\n")

    def _follow(self, actor: Any) -> int:
        """The exit code of the run, once it has ended on the node."""
        import ray

        begun = actor.begin.remote()
        while not ray.wait([begun], timeout=LOOK_SECONDS)[0]:
            if self._asked.is_set():
                return _STOPPED
        copy = None if self._is_shared(ray.get(begun)) else Copy(self._job, actor)
        if copy:
            copy.send()
        told = {key: value for key, value in steering_variables().items() if not key.startswith("CUDA")}
        told |= {"DLRUN_DATA": os.environ["DLRUN_DATA"]} if "DLRUN_DATA" in os.environ else {}
        ray.get(actor.start.remote(self._command, told, str(Path.cwd())))
        told_to_stop, exit_code = False, None
        while exit_code is None:
            try:
                ended = ray.get(actor.wait.remote(LOOK_SECONDS))
                if ended is None and self._asked.is_set() and not told_to_stop:
                    ray.get(actor.terminate.remote())
                    told_to_stop = True
                if copy:
                    copy.bring_now_and_then(at_once=ended is not None)
                exit_code = ended
            except ray.exceptions.ActorUnavailableError:  # the network: it comes back, or Ray gives the node up
                time.sleep(LOOK_SECONDS)
        if copy:
            ray.get(actor.clean.remote())
        return int(exit_code)

    def _is_shared(self, mark: str | None) -> bool:
        """Whether the node has our folder: it says so, or its mark is here, and then it shall remove nothing."""
        if mark is None:
            return True
        here = self._job.run_dir.parent / ASIDE / mark
        shared = here.exists()
        here.unlink(missing_ok=True)
        return shared


class Copy:
    """A run on a node that does not see our folder: what lies there at the same path, sent and brought back."""

    def __init__(self, job: Job, actor: Any) -> None:
        self._run_dir, self._actor = job.run_dir, actor
        self._here: Listing = {}
        self._printed = 0
        self._next = time.monotonic() + BRING_SECONDS

    def send(self) -> None:
        """Write the config, the plugins beside it, and what there is of the run into the node's folder."""
        import ray

        folder, output = self._run_dir.parent, output_of(self._run_dir)
        for path in files_of(self._run_dir):
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if not file.is_file() or file.name == ".lock" or file == output:
                    continue
                name = str(file.relative_to(folder))
                for offset in range(0, max(1, file.stat().st_size), PIECE_BYTES):
                    ray.get(self._actor.write.remote(name, offset, read_piece(file, offset, PIECE_BYTES)))
                if path == self._run_dir:
                    self._here[str(file.relative_to(path))] = (0, 0, 0)  # the node's own is another file

    def bring_now_and_then(self, *, at_once: bool = False) -> None:
        """`bring`, when it is time for it, or at once."""
        began = time.monotonic()
        if at_once or began > self._next:
            self.bring()
            now = time.monotonic()
            self._next = now + max(BRING_SECONDS, _SHARE * (now - began))

    def bring(self) -> None:
        """Make our run directory what the node's is at this moment; bring what was printed.

        Whoever goes on after a kill in between finds a run: what is new to us comes as a whole; later the checkpoint
        comes first and the record last.
        """
        import ray

        there: Listing = ray.get(self._actor.snapshot.remote())
        if RunDir(self._run_dir).record_file.exists():
            self._renew(there)
        elif "run.json" in there:
            coming = self._run_dir.parent / ASIDE / f"{self._run_dir.name}.coming"
            shutil.rmtree(coming, ignore_errors=True)
            for name in there:
                self._fetch(name, there[name][2], coming)
            shutil.rmtree(self._run_dir, ignore_errors=True)  # of a process that died before the run began
            coming.rename(self._run_dir)
        self._here = there
        with output_of(self._run_dir).open("ab") as stream:
            while content := ray.get(self._actor.printed.remote(self._printed)):
                stream.write(content)
                self._printed += len(content)

    def _renew(self, there: Listing) -> None:
        """Fetch what has changed, and remove what is gone."""
        for name in sorted(there, key=lambda name: (not name.startswith("checkpoint/"), name == "run.json")):
            if there[name] != self._here.get(name):
                self._fetch(name, there[name][2], self._run_dir)
        for name in self._here.keys() - there.keys():
            (self._run_dir / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others are left in it
                (self._run_dir / name).parent.rmdir()

    def _fetch(self, name: str, size: int, folder: Path) -> None:
        """Replace a file in our folder by the node's, whole or not at all."""
        import ray

        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        with temporary.open("wb") as stream:
            for offset in range(0, size, PIECE_BYTES):
                stream.write(ray.get(self._actor.read.remote(name, offset, min(PIECE_BYTES, size - offset))))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)


def _plugins_beside(job: Job) -> None:
    """Keep the plugins of a run that has not begun beside its config, from where they reach every node.

    Later the run has copies of its own. Raises ConfigError, RunDirError, OSError.
    """
    if job.status() is not None:
        return
    config = load_config(job.config_file)
    folder = job.run_dir.with_name(f"{job.run_dir.name}.plugins")
    if not config.plugins or config.plugins[0].is_relative_to(folder):
        return
    kept = []
    for number, plugin in enumerate(config.plugins):
        kept.append(folder / str(number) / plugin.name)
        kept[-1].parent.mkdir(parents=True, exist_ok=True)
        write_bytes(kept[-1], plugin.read_bytes())
    write_text(job.config_file, dump_config(config.model_copy(update={"plugins": kept})))


def _said(error: Exception) -> str:
    """What went wrong, here or on the node, in a line."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, DlrunError):
        return cause.problems[0].message
    return f"{type(cause).__name__}: {first_line(cause)}"

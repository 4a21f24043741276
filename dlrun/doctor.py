"""`dlrun doctor`: is everything here that dlrun needs? TensorFlow is asked in processes of its own: it may crash."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlrun.config.finding import configs_folder
from dlrun.data._sources import DataContext, keras_cache
from dlrun.data_places import PUBLISHED, find_published
from dlrun.environment import available_cores, installed_versions
from dlrun.errors import DlrunError
from dlrun.files import first_line, short

OK, NOTE, BROKEN = "ok", "note", "broken"
NEEDED = ("keras", "tensorflow", "numpy", "scikit-learn")
LEAST_MEMORY = 2 * 2**30  # of a small run with TensorFlow, and room to spare
LEAST_ACCURACY = 0.3  # after one epoch on digits it is about 0.75; by chance 0.1
SECONDS = 300
_PROBE = """\
import json, tensorflow as tf
gpus = tf.config.list_physical_devices("GPU")
names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
print(json.dumps({"gpus": names, "cuda": bool(tf.test.is_built_with_cuda()),
                  "sum": float(tf.reduce_sum(tf.ones((64, 64)) @ tf.ones((64, 64))))}))
"""


@dataclass(frozen=True)
class Finding:
    """What was looked at and found; `status` is ok, note (works, but read it) or broken."""

    subject: str
    status: str
    text: str
    hint: str = ""


def examine(outputs: Path, *, quick: bool = False) -> Iterator[Finding]:
    """All findings, as they are made; `quick` leaves out the training."""
    yield _versions()
    yield from _system()
    yield _machine()
    yield from _devices()
    yield _backends()
    yield from _data()
    yield _cache()
    yield _outputs(outputs)
    if not quick:
        yield _training()


def _versions() -> Finding:
    found = installed_versions()
    missing = [name for name in NEEDED if name not in found]
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    if missing:
        return Finding("versions", BROKEN, f"{text}; missing: {', '.join(missing)}", "pip install --upgrade dlrun")
    return Finding("versions", OK, text)


def _system() -> Iterator[Finding]:
    text = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if sys.platform == "win32":
        yield Finding("system", NOTE, text, "TensorFlow 2.11 and later uses GPUs on Windows only inside WSL2: use that")
    elif sys.platform == "darwin":
        hint = "TensorFlow's Metal plugin does not support XLA: set runtime.jit_compile: false if you use it"
        yield Finding("system", NOTE, text, hint)
    else:
        yield Finding("system", OK, text)


def _machine() -> Finding:
    cores, total = available_cores(), _memory()
    text = f"{cores} core{'s' if cores > 1 else ''}, {total / 2**30:.1f} GiB of memory"
    if 0 < total < LEAST_MEMORY:
        return Finding("machine", NOTE, text, "small: keep batches and models small, close other programs")
    return Finding("machine", OK, text)


def _memory() -> int:
    """Bytes this process may use: the machine's, or fewer in a container; 0 when unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        return min(total, int(limit)) if limit.isdecimal() else total
    except OSError:
        return total


def _devices() -> Iterator[Finding]:
    answer, trouble = _run([sys.executable, "-c", _PROBE])
    if answer is None or answer["sum"] != 64**3:
        hint = "reinstall it: pip install --force-reinstall tensorflow; x86 processors without AVX cannot run it"
        yield Finding("devices", BROKEN, f"TensorFlow does not work: {trouble or answer}", hint)
        return
    seen, driven = answer["gpus"], driver_gpus()
    yield Finding("devices", OK, f"TensorFlow sees the CPU and {_gpus(seen)}")
    if len(driven) > len(seen):
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        hint = "install TensorFlow with CUDA: pip install 'dlrun[gpu]'"
        if hidden is not None:
            hint = f"CUDA_VISIBLE_DEVICES is set to {hidden!r}; if it is not meant to hide GPUs, unset it"
        elif answer["cuda"]:
            hint += "; if that is done, look at the messages of: dlrun train digits --verbose"
        yield Finding("GPU", NOTE, f"the driver sees {_gpus(driven)}, TensorFlow {len(seen) or 'none'}", hint)


def _gpus(names: Sequence[str]) -> str:
    return f"{len(names)} GPU{'s' if len(names) > 1 else ''} ({', '.join(names)})" if names else "no GPU"


def driver_gpus() -> list[str]:
    """The names of the NVIDIA GPUs that the driver sees."""
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if done.returncode == 0:
            return [line.strip() for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.TimeoutExpired):
        pass
    return ["NVIDIA GPU" for _ in Path("/proc/driver/nvidia/gpus").glob("*")]


def _backends() -> Finding:
    there = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
    wish = os.environ.get("KERAS_BACKEND", "")
    hint = f"KERAS_BACKEND={wish} is not used: runtime.backend decides" if wish not in ("", "tensorflow") else ""
    return Finding("backends", NOTE if hint else OK, f"{', '.join(there) or 'none'} installed", hint)


def _data() -> Iterator[Finding]:
    folders = [Path(folder).expanduser() for folder in os.environ.get("DLRUN_DATA", "").split(os.pathsep) if folder]
    gone = [folder for folder in folders if not folder.is_dir()]
    places = ", ".join(map(str, [*folders, keras_cache()]))
    if gone:
        yield Finding("data", NOTE, f"looked for in {places}", f"$DLRUN_DATA names {gone[0]}, which is no folder")
    else:
        yield Finding("data", OK, f"looked for in {places}", "" if folders else "$DLRUN_DATA names further folders")
    found = [name for name in PUBLISHED if find_published(name, DataContext())]
    rest = [name for name in PUBLISHED if name not in found]
    hint = f"not there: {', '.join(rest)}; `dlrun fetch NAME...` downloads them" if rest else ""
    yield Finding("datasets", OK, f"found: {', '.join(found) or 'none besides those that need no file'}", hint)


def _cache() -> Finding:
    """How large the cache of prepared data is, where it lies, and how it is emptied."""
    from dlrun.data._cache import cache_folder, cache_size, limit_bytes

    folder = cache_folder()
    try:
        limit, (count, size) = limit_bytes(), cache_size()
    except (DlrunError, OSError) as error:
        return Finding("cache", NOTE, f"{folder} cannot be used: {first_line(error)}", "$DLRUN_CACHE names another one")
    text = f"prepared data: {size / 1e9:.1f} of at most {limit / 1e9:g} GB, in {folder}"
    hint = f"to empty it: rm -r {folder}; $DLRUN_CACHE and $DLRUN_CACHE_LIMIT_GB set place and limit" if count else ""
    return Finding("cache", OK, text, hint)


def _outputs(outputs: Path) -> Finding:
    """Whether runs can be written, tried in the nearest folder that exists."""
    folder = outputs.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"dlrun")
    except OSError as error:
        hint = "choose another folder: --outputs DIR or $DLRUN_OUTPUTS"
        return Finding("outputs", BROKEN, f"{short(outputs)} cannot be written: {error.strerror}", hint)
    return Finding("outputs", OK, f"runs go to {short(outputs.absolute())}, which can be written")


def _training() -> Finding:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="dlrun-") as folder:
        config = configs_folder() / "digits.yaml"
        options = ["-s", "training.epochs=1", "--outputs", folder, "--json"]
        answer, trouble = _run([sys.executable, "-m", "dlrun", "train", str(config), *options])
    seconds = time.perf_counter() - start
    if answer is None:
        return Finding("training", BROKEN, f"a short run failed: {trouble}", "dlrun train digits --debug")
    accuracy = answer["metrics"]["best"]["val_accuracy"]
    if not accuracy or accuracy < LEAST_ACCURACY:
        return Finding("training", BROKEN, f"digits has val_accuracy {accuracy} after an epoch, expected about 0.75")
    return Finding("training", OK, f"an epoch on digits: val_accuracy {accuracy:.2f}, {seconds:.1f} s with start-up")


def _run(command: Sequence[str], run: Callable[..., Any] = subprocess.run) -> tuple[dict[str, Any] | None, str]:
    """The JSON object that a command prints, or None and what went wrong."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = run(command, capture_output=True, text=True, timeout=SECONDS, env=environment)
        if done.returncode == 0:
            return json.loads(done.stdout[done.stdout.index("{") :]), ""
    except (OSError, ValueError) as error:
        return None, str(error)
    except subprocess.TimeoutExpired:
        return None, f"no end within {SECONDS} s"
    said = [line for line in done.stderr.splitlines() if line.strip()]
    by = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return None, said[-1] if said and done.returncode > 0 else by

"""What must be set before Keras is imported: backend, visible devices, log level; and facts about where we run."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata

from dlrun.errors import ConfigError, DeviceError


def set_environment(backend: str, device: str, *, verbose: bool = False) -> None:
    """Set the environment variables that Keras and TensorFlow read on import.

    Raises ConfigError when Keras is already imported with another backend.
    """
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != backend:
        raise ConfigError(
            f"Keras is already imported with the backend {keras.config.backend()}",
            key=("runtime", "backend"),
            expected=keras.config.backend(),
            hint="start a new process",
        )
    os.environ["KERAS_BACKEND"] = backend
    if verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    else:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # or JAX takes 75 % of a GPU's memory at once
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        if device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


SHARE_OF_CORES = "DLRUN_CORES"  # the environment variable with the most cores that a process may use
EXTRAS = ("jax",)  # backends that do not come with dlrun itself

# Packages that Keras and TensorFlow 2.21 import, where they are installed, for features no command of dlrun uses
# (keras.wrappers, TFLite). `import keras` takes 5.0 s of CPU time with them and 3.3 s without, measured on two cores.
UNUSED_BY_KERAS = ("sklearn", "jax")


def import_keras(backend: str, device: str, *, verbose: bool = False, lean: bool = False) -> None:
    """`set_environment`, then the first import of Keras.

    TensorFlow 2.21 logs to file descriptor 2 while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says; unless `verbose`
    that is held back, and shown only when the import fails. `lean` leaves out what only notebooks may want of Keras
    (keras.wrappers). Raises DeviceError, which names the extra to install, when the backend is not there.
    """
    _check_installed(backend)
    set_environment(backend, device, verbose=verbose)
    held = contextlib.nullcontext() if verbose or "keras" in sys.modules else _stderr_held_back()
    left_out = [package for package in UNUSED_BY_KERAS if lean and package != backend]
    try:
        with held, hidden(left_out), no_collections():
            importlib.import_module("keras")
            importlib.import_module(backend)
            importlib.import_module("tensorflow")  # Keras imports it with any backend, to seed it
    except ImportError as error:
        raise DeviceError(f"Keras with the backend {backend} cannot be imported: {error}") from error


def _check_installed(backend: str) -> None:
    """Raise DeviceError, naming the extra, unless the backend is there."""
    if importlib.util.find_spec(backend) is None:
        package = f"dlrun[{backend}]" if backend in EXTRAS else "dlrun"
        raise DeviceError(f"the backend {backend} is not installed: pip install '{package}'")


@contextlib.contextmanager
def hidden(packages: Iterable[str]) -> Iterator[None]:
    """Imports of these packages fail inside, as if they were not installed; those already imported stay."""
    names = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None there is Python's way to say so
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Garbage is not looked for inside. Imports make a million objects that all stay; to look through them again and
    again takes a quarter of the time of `import keras`.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def installed_versions() -> dict[str, str]:
    """Versions that a result depends on."""
    versions = {"python": platform.python_version()}
    for package in ("dlrun", "keras", "tensorflow", "jax", "jaxlib", "numpy", "scikit-learn"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def available_cores() -> int:
    """Cores this process may use: its share of them, where it is one of several that were started at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = os.environ.get(SHARE_OF_CORES, "")
    return max(1, min(cores, int(share))) if share.isdigit() else cores


def give_back_freed_memory() -> None:
    """Let the system have what was freed: glibc keeps it otherwise (76 MiB after IMDB); elsewhere nothing is done."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far (`ru_maxrss`: KiB on Linux, bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

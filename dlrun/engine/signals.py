"""Signals that ask a run to stop: SIGINT (Ctrl-C), SIGTERM and SIGHUP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dlrun.errors import Interrupted
from dlrun.files import typed
from dlrun.run_dir import RunDir

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that is set by the first signal; the second SIGINT raises KeyboardInterrupt as usual.

    Outside the main thread signals cannot be caught, and the event is never set.
    """
    asked = threading.Event()

    def stop(number: int, _frame: Any) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    with _handled(stop):
        yield asked


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Every signal raises KeyboardInterrupt, as Ctrl-C does: where there is nothing yet that a run could lose."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


def stopped_at_once(run: RunDir) -> Interrupted:
    """The end of a run that had no time for a checkpoint: before training began, or by the second Ctrl-C."""
    hint = f"dlrun train --resume {typed(run.path)} goes on from its newest checkpoint, or its start when it has none"
    return Interrupted("interrupted before a checkpoint could be written", resumable=False, hint=hint)


@contextmanager
def _handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)

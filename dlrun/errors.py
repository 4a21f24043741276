"""What can go wrong, said once: where, what, received, expected, hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

Key = tuple[str | int, ...]
_SHOWN = 50  # problems of one error
_LINE = 1000  # characters; of a longer one head and tail are shown: where it is, and what is wrong
_HEAD, _TAIL = 700, 200
# Control characters but line ends and tabs, halves of characters, and marks that turn the direction of what follows.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with its control characters written out (`\\x1b`), so that it cannot steer a terminal."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


@dataclass(frozen=True)
class Place:
    """A spot in something the user wrote: a line of a file, or a `-s` override.

    `line` and `column` count from 1; `length` is the number of characters the caret underlines. `text` is the line; of
    a long one a part, which begins after `cut` characters. `origin` tells how the value got here when it was not
    written in the file the user named.
    """

    source: str
    line: int
    column: int
    length: int
    text: str
    origin: str = ""
    cut: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake. `key` is its path in the config (`("model", "layers", 0)`), `place` where it was written."""

    message: str
    key: Key | None = None
    place: Place | None = None
    received: str | None = None
    expected: str | None = None
    hint: str | None = None

    def render(self) -> str:
        """The problem as the lines a user reads; what a file put into it can neither steer a terminal nor begin one."""
        first, *more = (f"{self.place}: {self.message}" if self.place else self.message).split("\n")
        lines = [f"error: {first}", *(" " * 12 + line for line in more)]
        if self.place and self.place.text:
            number = f"{self.place.line:>4} | "
            lines.append(number + self.place.text)
            gutter = " " * (len(number) - 2) + "| "
            lines.append(gutter + " " * (self.place.column - 1 - self.place.cut) + "^" * max(1, self.place.length))
        details = [
            ("from", self.place.origin if self.place else ""),
            ("received", self.received),
            ("expected", self.expected),
            ("hint", self.hint),
        ]
        for label, text in details:
            if text:
                first, *rest = text.split("\n")
                lines.append(f"  {label:<9} {first}")
                lines += [" " * 12 + line for line in rest]
        return visible("\n".join(map(_cut, lines)))


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_HEAD]} ... {line[-_TAIL:]}"


class DlrunError(Exception):
    """An expected failure. Raised anywhere, printed once, in `cli.main`.

    Holds one or more problems; a problem that knows its `key` gets its `place` from `located`.
    """

    exit_code = 1

    def __init__(
        self,
        message: str = "",
        *,
        key: Key | None = None,
        received: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        own = Problem(message, key=key, received=received, expected=expected, hint=hint)
        self.problems: tuple[Problem, ...] = tuple(problems) or (own,)
        super().__init__(message or self.problems[0].message)

    def __str__(self) -> str:
        shown = [problem.render() for problem in self.problems[:_SHOWN]]
        more = len(self.problems) - len(shown)
        return "\n\n".join([*shown, *([f"... and {more:,} more problems"] if more else [])])

    def located(self, place_of: Callable[[Key], Place | None]) -> DlrunError:
        """This error with the place of every problem that has a key and no place yet."""
        self.problems = tuple(
            replace(problem, place=place_of(problem.key)) if problem.key and not problem.place else problem
            for problem in self.problems
        )
        return self


class ConfigError(DlrunError):
    """The user's config or command is wrong."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A name that no registry, schema or run knows."""


class PluginError(DlrunError):
    """The user's plugin file cannot be used."""

    exit_code = 2


class DataError(DlrunError):
    """Data is missing, unreadable or not what it should be."""


class RunDirError(DlrunError):
    """A run directory cannot be made, found or read."""


class DeviceError(DlrunError):
    """The requested device or backend is not there."""


class TrainingError(DlrunError):
    """Training failed. `kind` is one of oom, nan, shape, data, crash."""

    def __init__(
        self,
        message: str,
        *,
        kind: str = "crash",
        key: Key | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, key=key, expected=expected, hint=hint)
        self.kind = kind


class JobError(DlrunError):
    """A job could not be run."""


class Interrupted(DlrunError):
    """The run was stopped by a signal. Exit code 75 when a checkpoint can be resumed, 130 when none exists."""

    def __init__(self, message: str, *, resumable: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = 75 if resumable else 130


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is close (difflib, cutoff 0.6)."""
    lowered = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def did_you_mean(name: object, known: Iterable[str]) -> str | None:
    """The hint line for a misspelt name, or None."""
    match = nearest(name, known)
    return f"did you mean {match}?" if match else None


def listing(names: Iterable[str], most: int = 12) -> str:
    """Names joined by commas, cut after `most`."""
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")

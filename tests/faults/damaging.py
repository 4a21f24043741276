"""Files and folders of a run damaged one at a time, and what the verbs then say; all in this process."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cases import differences, write_config
from fork_server import Ended

from dlrun.cli import main
from dlrun.config.loading import load_config
from dlrun.events import EpochDone, Event
from dlrun.run_dir import COMPLETED, RunDir

PLUGIN = """
import keras

import dlrun


@dlrun.model("own_net")
def own_net(spec, *, units: int = 16, rate: float = 0.3):
    inputs = keras.Input(spec.input.shape)
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    if rate:
        hidden = keras.layers.Dropout(rate)(hidden)
    head = spec.task.head
    return keras.Model(inputs, keras.layers.Dense(head.units, activation=head.activation)(hidden))
"""
STOPPED_AFTER = 4  # epochs
VERBS = ("runs", "show", "compare", "evaluate", "predict", "retrain", "verify", "resume")
LOOKING = ("runs", "show", "compare")  # these load no Keras
_VOLATILE = ("seconds", "time", "file", "model_file", "path", "id", "started", "ended", "reading", "test_readings")
_VOLATILE += ("peak_memory",)
_NUMBERS = itertools.count()


def _cut(size: Callable[[bytes], int]) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(file.read_bytes()[: size(file.read_bytes())])


def _make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _make_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file\n")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": _cut(lambda content: 0),
    "cut in half": _cut(lambda content: len(content) // 2),
    "cut before its last line": _cut(lambda content: content.rstrip(b"\n").rfind(b"\n") + 1),
    "cut by a byte": _cut(lambda content: len(content) - 1),
    "filled with noise": lambda file: file.write_bytes(bytes(range(255, 0, -3)) * 9),
    "filled with another mapping": lambda file: file.write_bytes(b'{"format": 1, "other": [1]}\n'),
    "removed": lambda file: file.unlink(),
    "a folder now": _make_folder,
}
FOLDER_DAMAGES: dict[str, Callable[[Path], object]] = {"removed": shutil.rmtree, "a file now": _make_file}


@dataclass(frozen=True)
class Subject:
    """A run that is damaged, the uninterrupted one that a resume must equal, and what each verb says of it unhurt."""

    run: Path
    whole: Path
    folder: Path
    sound: dict[str, Ended] = field(default_factory=dict)

    def places(self) -> dict[str, dict[str, Callable[[Path], object]]]:
        """What can be damaged, relative to the run, and how. The lock is left out: it is empty."""
        paths = [path for path in sorted(self.run.rglob("*")) if path.name != ".lock"]
        return {str(path.relative_to(self.run)): DAMAGES if path.is_file() else FOLDER_DAMAGES for path in paths}

    def unhurt(self, verb: str) -> Ended:
        """What a verb says of the run as it is."""
        if verb not in self.sound:
            self.sound[verb] = ask(verb, self.copied(f"{next(_NUMBERS)}"), "--json")
        return self.sound[verb]

    def copied(self, name: str) -> Path:
        """A copy of the run in an outputs folder of its own, and a second one beside it that stays sound."""
        outputs = self.folder / name
        _copy(self.whole, outputs / "case" / "beside")
        return _copy(self.run, outputs / "case" / "damaged")


def _copy(run: Path, to: Path) -> Path:
    """A copy of a run whose plugin is the copied one."""
    shutil.copytree(run, to)
    for config in (to / "config.yaml", to / "checkpoint" / "config.yaml"):
        config.write_text(config.read_text().replace(str(run), str(to)))
    return to


def make_subjects(folder: Path) -> dict[str, Subject]:
    """A finished run with what verbs put into it, and one that was stopped after STOPPED_AFTER epochs."""
    config = _write_config(folder)
    whole = _train(config, folder / "whole")
    finished = _copy(whole, folder / "finished")
    for verb in ("evaluate", "predict"):
        assert ask(verb, finished).code == 0
    interrupted = _train(config, folder / "interrupted", stop_after=STOPPED_AFTER)
    return {
        "finished": Subject(finished, whole, folder / "copies" / "finished"),
        "interrupted": Subject(interrupted, whole, folder / "copies" / "interrupted"),
    }


def _write_config(folder: Path) -> Path:
    path = write_config(folder, "dropout", "whole_epoch", tensorboard=True, checkpoint_every_steps=None)
    (folder / "own.py").write_text(PLUGIN)
    config = {**yaml.safe_load(path.read_text()), "plugins": ["own.py"], "model": {"name": "own_net"}}
    path.write_text(yaml.safe_dump(config))
    return path


def _train(config: Path, path: Path, *, stop_after: int = 0) -> Path:
    from dlrun.train import train

    def listen(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == stop_after:
            raise KeyboardInterrupt

    with contextlib.suppress(Exception) if stop_after else contextlib.nullcontext():
        train(load_config(config), run_dir=path, on_event=listen)
    run = RunDir(path)
    assert run.status() == ("interrupted" if stop_after else COMPLETED)
    return path


def ask(verb: str, run: Path, *options: str) -> Ended:
    """What a verb answers about a run; exit code 70 and the traceback where a user would see one."""
    argv = {
        "runs": ["runs", "--outputs", run.parent.parent],
        "compare": ["compare", run, run.parent / "beside"],
        "retrain": ["retrain", run, "--outputs", run.parent.parent],
        "resume": ["train", "--resume", run],
    }.get(verb, [verb, run])
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([*map(str, argv), *options])
        except BaseException:  # what a user would see
            traceback.print_exc()
            code = 70
    text = (out.getvalue() or err.getvalue()).replace(str(run.parent.parent), "outputs")
    return Ended(code, text, err.getvalue().splitlines())


def look(subject: Subject, verb: str, name: str, damage: Callable[[Path], object]) -> str | None:
    """Damage a copy of a run, ask a verb about it, and say what is wrong with the answer; None when nothing is.

    Right are the answer about the sound run, one that says what is damaged, and an error that names the file. A resume
    must end equal to the uninterrupted run, or be refused.
    """
    copy = subject.copied(f"{next(_NUMBERS)}")  # no file's name in its path, or every message would have it
    damage(copy / name)
    plain = ask(verb, copy) if verb in LOOKING else None
    ended = ask(verb, copy, "--json")
    problem = _judge(subject, verb, name, ended, copy)
    if plain and plain.code != ended.code:
        problem = f"exit code {plain.code} instead of {ended.code} without --json: " + " / ".join(plain.changes[-6:])
    shutil.rmtree(copy.parent.parent, ignore_errors=True)
    return problem


def _judge(subject: Subject, verb: str, name: str, ended: Ended, copy: Path) -> str | None:
    if ended.code not in (0, 1, 2):
        return f"exit code {ended.code}: " + " / ".join(ended.changes[-6:])
    if ended.code == 0 and verb == "resume":
        found = [one for one in differences(subject.whole, copy) if one != "config.yaml"]  # it names its own plugin
        configs = [_config(run) for run in (subject.whole, copy)]
        return "; ".join([*found, *(["config.yaml"] if configs[0] != configs[1] else [])]) or None
    if _tells(json.loads(ended.text), name):
        return None
    sound = subject.unhurt(verb)
    found, right = _stable(json.loads(ended.text)), _stable(json.loads(sound.text))
    if verb == "retrain" and ended.code == 0:
        del found["run"], right["run"]  # the ids of the new runs
    if found == right and ended.code == sound.code:
        return None
    if ended.code:
        return f"does not name {name}: {ended.text}"
    return "says: " + _first_difference(found, right)


def _config(run: Path) -> Any:
    """The config of a run without its place; values, since long paths break lines elsewhere."""
    return yaml.safe_load((run / "config.yaml").read_text().replace(str(run), ""))


def _stable(value: Any) -> Any:
    """An answer without times and places."""
    if isinstance(value, dict):
        return {key: _stable(item) for key, item in value.items() if not key.startswith(_VOLATILE)}
    return [_stable(item) for item in value] if isinstance(value, list) else value


def _tells(found: dict[str, Any], name: str) -> bool:
    """Whether an answer says which file is damaged: an error, a run that is damaged, something left out, a note."""
    rows = [row for key in ("runs", "groups", "entries") for row in found.get(key) or [] if isinstance(row, dict)]
    told = json.dumps([found.get("error"), found.get("left_out"), found.get("notes"), found.get("history"), rows])
    names = {Path(name).name, *(part for part in Path(name).parts if part.isdigit() or part == "checkpoint")}
    return any(part in told for part in names) or any(row.get("status") == "damaged" for row in rows)


def _first_difference(found: Any, sound: Any) -> str:
    if isinstance(found, dict) and isinstance(sound, dict):
        for key in [*sound, *found]:
            if found.get(key) != sound.get(key):
                return f"{key}: {_first_difference(found.get(key), sound.get(key))}"
    return f"{found!r} instead of {sound!r}"[:400]


def all_looks(subject: Subject, verb: str, stride: int = 1) -> Iterator[tuple[str, str, str | None]]:
    """Every file and folder of a run damaged in every way, or every n-th: its name, how, and what is wrong."""
    every = [(name, how, damage) for name, damages in subject.places().items() for how, damage in damages.items()]
    for name, how, damage in every[::stride]:
        yield name, how, look(subject, verb, name, damage)


def settle() -> None:
    """Let runs of a moment write every epoch, and leave pictures empty."""
    from matplotlib.figure import Figure

    from dlrun.engine import recorder

    recorder.WRITING_SHARE = 1e9
    Figure.savefig = lambda _figure, path, **_options: Path(path).touch()  # type: ignore[method-assign]

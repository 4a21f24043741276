"""What comes from files is shown, and does nothing."""

import io
import json
import re
import shutil
import sys

import numpy as np
import pytest
from rich.text import Text

from dlrun.cli import _output, main
from dlrun.errors import CONTROLS

STEERING = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e"
MARKUP = "[/] [red]x[/red] :heart: [link=file:///]y"
HOSTILE = f"a{STEERING}b{MARKUP}"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def without_rich(text):
    """The text without what Rich itself writes: colours, styles, positions."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.replace("\x1b[31m", "RAW"))


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_cell_steers_the_terminal(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream())
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    table = _output.plain_table("name", left=("name",))
    for cell in (STEERING, Text(STEERING), MARKUP):
        table.add_row(cell)
    _output.show(table)
    _output.echo(HOSTILE)
    written = without_rich(sys.stdout.getvalue())
    assert not CONTROLS.search(written)
    assert written.count(r"\x1b]0;owned") == written.count(r"\x1b[31m\x9b2J\u202e") == 3
    assert written.count("[/]") == 2
    assert ":heart:" in written


def test_notes_and_errors_do_not_steer_the_terminal_either(capsys):
    _output.note(HOSTILE)
    assert main(["check", f"no{HOSTILE}.yaml"]) == 2
    found = capsys.readouterr().err
    assert not CONTROLS.search(found)
    assert found.count("[red]x[/red] :heart:") >= 2


def test_json_holds_the_same_text_and_no_control_character(capsys):
    _output.print_json({"name": HOSTILE + "\ud800"})
    text = capsys.readouterr().out
    assert not CONTROLS.search(text)
    assert json.loads(text) == {"name": HOSTILE + "\ud800"}


@pytest.fixture
def hostile_run(digits_run, tmp_path):
    """A run whose record and metrics hold what they should not."""
    run = tmp_path / "outputs" / "x[red]y[" / digits_run.path.name
    shutil.copytree(digits_run.path, run)
    record = json.loads((run / "run.json").read_text())
    record |= {"name": HOSTILE, "description": HOSTILE, "command": ["dlrun", HOSTILE], "device": HOSTILE}
    record |= {"failure": {"kind": HOSTILE, "message": HOSTILE}, "split": {"kind": HOSTILE, HOSTILE: 3}}
    (run / "run.json").write_text(json.dumps(record))
    metrics = json.loads((run / "metrics.json").read_text())
    metrics |= {"monitor": HOSTILE, "best": {f"val_{HOSTILE}": 1.0, HOSTILE: 2.0}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / "a[red]\x1b[31m").touch()
    return run


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("verb", ["show", "runs"])
def test_a_hostile_run_is_shown_as_it_is(hostile_run, verb, options, capsys):
    argv = [verb, str(hostile_run)] if verb == "show" else [verb, "--outputs", str(hostile_run.parent.parent)]
    assert main([*argv, *options]) == 0
    out = capsys.readouterr().out
    assert not CONTROLS.search(out)
    assert "[red]y[" in out
    assert "[/] [red]x[/red] :heart: [link=file:///]y" in out or not options


def test_data_with_hostile_names_is_shown_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name, label = 'c"ol\x1b[31m[/]', "yes[/]\x1b[2J"
    rows = "".join(f"{k * 7 % 11},{label if k % 2 else 'no'}\n" for k in range(40))
    (tmp_path / "rows[red].csv").write_text(f'"{name.replace(chr(34), chr(34) * 2)}",sold[/]\n{rows}')
    (tmp_path / "a.yaml").write_text("data: {name: csv, path: 'rows[red].csv', target: 'sold[/]'}\nmodel: mlp\n")
    assert main(["data", "a.yaml"]) == 0
    out = capsys.readouterr().out
    assert not CONTROLS.search(out)
    assert r"yes[/]\x1b[2J" in out
    assert "rows[red].csv" in out


@pytest.mark.usefixtures("pictures")
def test_evaluate_and_predict_show_hostile_labels(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    labels = ("$\\frac{[/]$\x1b[2J", "no$_")
    random = np.random.default_rng(1)
    rows = "".join(f"{random.normal():.3f},{labels[k % 2]}\n" for k in range(60))
    (tmp_path / "rows.csv").write_text("a,sold\n" + rows)
    (tmp_path / "a.yaml").write_text(
        "data: {name: csv, path: rows.csv, target: sold}\nmodel: mlp\n"
        "training: {epochs: 1, tensorboard: false}\nruntime: {jit_compile: false}\n"
    )
    assert main(["train", "a.yaml"]) == 0
    assert main(["evaluate", "-"]) == 0
    assert main(["predict", "-"]) == 0
    captured = capsys.readouterr()
    assert not CONTROLS.search(captured.out + captured.err)
    assert r"$\frac{[/]$\x1b[2J" in captured.out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1235"),
        (-123.456, "-123.5"),
        (12345.6, "12,346"),
        (999_999_999.0, "999,999,999"),
        (-1e9, "-1.000e+09"),
        (1.2345e27, "1.234e+27"),
        (None, "nan"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_as_short_as_its_size_allows(value, text):
    assert _output.number(value) == text


def test_what_shall_be_copied_stays_whole_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    table = _output.plain_table("id", "best", left=("id", "best"), whole=("id",))
    table.add_row("20261121-203346-89b759-kfold", "val_accuracy 0.9792 and more")
    _output.show(table)
    assert "20261121-203346-89b759-kfold" in sys.stdout.getvalue()
    assert sys.stdout.getvalue().count("\n") > 2


def test_a_long_list_of_names_breaks_between_names_and_commands_stay_whole():
    text = "error: no\n  expected  first_name, second_name, third_name\n  hint      dlrun train --resume outputs/a/b/c"
    assert _output.folded(text, 32).split("\n") == [
        "error: no",
        "  expected  first_name,",
        "            second_name,",
        "            third_name",
        "  hint      dlrun train --resume outputs/a/b/c",
    ]


def test_ctrl_c_is_said_even_where_typer_catches_it(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("dlrun.catalogue.names_of", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_commands_and_paths_stay_whole_where_they_do_not_fit_beside_their_label(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    commands = [f"dlrun evaluate outputs/{name * 30}" for name in "ab"]
    _output.show_labels([("a label of some length", "1"), ("next", "    ".join(commands)), ("run", "outputs/a")])
    lines = [line.strip() for line in without_rich(sys.stdout.getvalue()).splitlines()]
    assert lines[0] == "a label of some length  1"
    assert lines[1:] == [f"next  {commands[0]}", commands[1], "run                     outputs/a"]


@pytest.mark.parametrize("at", [0, 50, 94])
def test_the_carets_stay_below_what_they_mean_on_a_narrow_terminal(at):
    words = " ".join(["word"] * 19)
    line = f"{words[:at]}WRONG{words[at:]}"
    text = f"error: no\n   7 | {line}\n     | {' ' * at}^^^^^\n  hint      other"
    _, quoted, carets, _ = _output.folded(text, 40).split("\n")
    place = carets.index("^")
    assert quoted[place : place + 5] == "WRONG"
    assert len(quoted) <= 40
    assert ("..." in quoted[:12]) == (at > 10)

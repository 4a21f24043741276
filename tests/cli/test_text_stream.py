"""Texts on stdout while they come."""

import io

import pytest

from dlrun.cli._text_stream import TextStream

TEXTS = {"cold": "one two", "hot": "ein\nzwei\x1b[2J"}
PRINTED = "--- cold\none two\n--- hot\nein\nzwei\\x1b[2J\n"


class Terminal(io.StringIO):
    """Takes text as a terminal does."""

    def isatty(self):
        return True


def streamed(monkeypatch, stdout, *, fails=False):
    monkeypatch.setattr("sys.stdout", stdout)
    with TextStream() as show:
        for at in range(0, 12, 4):
            for title, text in TEXTS.items():
                show(title, text[at : at + 4])
            if fails:
                raise OSError("broken")
    show.end(TEXTS)
    return stdout.getvalue()


def test_outside_of_a_terminal_texts_are_plain(monkeypatch):
    assert streamed(monkeypatch, io.StringIO()) == PRINTED


def test_on_a_terminal_all_grow_at_once_and_stay_whole(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    found = streamed(monkeypatch, Terminal())
    assert found.endswith(PRINTED)
    assert "\x1b[2J" not in found
    assert "\x1b[?25l" in found  # the cursor is hidden meanwhile


def test_an_error_gives_the_cursor_back(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stdout = Terminal()
    with pytest.raises(OSError, match="broken"):
        streamed(monkeypatch, stdout, fails=True)
    assert stdout.getvalue().rfind("\x1b[?25h") > stdout.getvalue().rfind("\x1b[?25l")


def test_texts_that_nobody_streamed_are_printed_at_the_end(monkeypatch, capsys):
    with TextStream() as show:
        pass
    show.end(TEXTS)
    assert capsys.readouterr().out == PRINTED

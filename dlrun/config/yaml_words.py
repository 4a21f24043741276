"""PyYAML's complaints in plain words."""

from __future__ import annotations

OPENED = ("a quote", "this list", "this mapping")  # the place that matters is where it was opened

_WORDS = (
    ("found character '\\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    (
        "found undefined alias",
        "there is no anchor (&name) for this alias (*name)",
        "a text that begins with * needs quotes",
    ),
    (
        "mapping values are not allowed here",
        "a `:` stands where no key can be",
        "quote a text that has `: ` in it, or check the indentation",
    ),
    ("could not find expected ':'", "a `:` is missing after the key", "write `key: value`"),
    ("found unexpected end of stream", "a quote is opened here and never closed", None),
    ("but found another document", "a second document (---) begins here", "one file holds one config"),
    ("could not determine a constructor", "this tag is not allowed", "remove it"),
    ("found undefined tag handle", "this tag is not allowed", "a text that begins with ! needs quotes"),
    ("expected ',' or ']'", "this list is not closed, or a comma is missing,", "it needs a ]"),
    ("expected ',' or '}'", "this mapping is not closed, or a comma is missing,", "it needs a }"),
    (
        "expected <block end>",
        "the indentation does not fit the lines above",
        "keys of one mapping start in the same column",
    ),
    ("cannot start any token", "this character cannot begin a value", "put the text in quotes"),
    ("duplicate anchor", "this anchor (&name) stands here twice", None),
)


def plain_words(problem: str, context: str) -> tuple[str, str | None]:
    """What PyYAML says is wrong, and a hint."""
    for needle, message, hint in _WORDS:
        if needle in problem or needle in context:
            return message, hint
    return f"this is not YAML: {problem}", None

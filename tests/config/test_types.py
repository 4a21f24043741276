import ast
from typing import Literal

import pytest

from dlrun.config.types import ANY, Mismatch, convert, describe, from_annotation, from_source


def of(text):
    return from_source(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("int", "an integer"),
        ("list[int]", "a list of integers"),
        ("int | float | None", "a number or null"),
        ("Optional[str]", "text or null"),
        ("dict[str, float]", "a mapping of texts to numbers"),
        ("tuple[int, int]", "a list of 2 values (an integer, an integer)"),
        ("tuple[int, ...]", "a list of integers"),
        ("Literal['a', 'b']", "one of a, b"),
        ("typing.Sequence[str]", "a list of texts"),
        ("'int'", "an integer"),
        ("Annotated[int, 'x']", "an integer"),
        ("Layers", "a list of Keras layers"),
    ],
)
def test_annotations_are_told_in_words(annotation, words):
    assert describe(of(annotation)) == words


@pytest.mark.parametrize("annotation", ["np.ndarray", "Callable[[int], int]", "int | Foo", "f()", "'not python('"])
def test_what_is_not_understood_is_anything(annotation):
    assert of(annotation) == ANY


def test_annotations_of_fields_mean_the_same():
    assert from_annotation(int | float | Literal["test"]) == of("int | float | Literal['test']")
    assert from_annotation(dict[str, list[int]] | None) == of("dict[str, list[int]] | None")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", True),
        ("int", "3"),
        ("int", 2.5),
        ("float", "x"),
        ("bool", 1),
        ("str", 3),
        ("list[int]", 3),
        ("int", None),
    ],
)
def test_nothing_is_converted_that_would_lose_its_meaning(annotation, value):
    with pytest.raises(Mismatch):
        convert(of(annotation), value)


def test_a_mismatch_knows_its_place_inside_the_value():
    with pytest.raises(Mismatch) as caught:
        convert(of("dict[str, list[int] | None]"), {"a": [1], "b": [1, "x"]})
    assert caught.value.path == ("b", 1)

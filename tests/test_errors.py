import pytest

from dlrun.errors import (
    CONTROLS,
    ConfigError,
    DlrunError,
    Interrupted,
    Place,
    Problem,
    did_you_mean,
    listing,
    nearest,
    visible,
)


def test_a_problem_is_rendered_with_line_caret_and_details():
    place = Place("a.yaml", 9, 28, 12, "optimizer: {name: rmsprop, lerning_rate: 1e-3}")
    problem = Problem("no such key", place=place, expected="name, learning_rate", hint="did you mean learning_rate?")
    assert problem.render() == (
        "error: a.yaml:9:28: no such key\n"
        "   9 | optimizer: {name: rmsprop, lerning_rate: 1e-3}\n"
        "     |                            ^^^^^^^^^^^^\n"
        "  expected  name, learning_rate\n"
        "  hint      did you mean learning_rate?"
    )


def test_an_error_shows_all_its_problems_once():
    error = ConfigError(problems=[Problem("first"), Problem("second")])
    assert str(error) == "error: first\n\nerror: second"
    assert error.exit_code == 2


def test_located_gives_places_to_problems_with_a_key_only():
    place = Place("a.yaml", 1, 1, 4, "loss: x")
    error = DlrunError(problems=[Problem("with", key=("loss",)), Problem("without")])
    error.located(lambda key: place if key == ("loss",) else None)
    assert [problem.place for problem in error.problems] == [place, None]


@pytest.mark.parametrize(("resumable", "code"), [(True, 75), (False, 130)])
def test_an_interruption_tells_by_its_exit_code_whether_it_can_be_resumed(resumable, code):
    assert Interrupted("stopped", resumable=resumable).exit_code == code


def test_nearest_ignores_case_and_gives_nothing_for_strangers():
    assert nearest("earlystoping", ["EarlyStopping", "TensorBoard"]) == "EarlyStopping"
    assert nearest("xyz", ["EarlyStopping"]) is None
    assert did_you_mean("xyz", ["abc"]) is None


def test_listing_is_cut():
    assert listing("abcd", most=2) == "a, b, ..."


HOSTILE = "a\x1b[31mb\x9b2Jc\rd\x07e\u202ef\u2028g\ud800h\x7f"


def test_what_files_hold_cannot_steer_a_terminal():
    problem = Problem(f"no {HOSTILE}", received=HOSTILE, place=Place(HOSTILE, 1, 1, 1, HOSTILE))
    assert not CONTROLS.search(problem.render())
    assert r"error: a\x1b[31mb\x9b2Jc\rd\x07e\u202ef\u2028g\ud800h\x7f:1:1: no a\x1b[31m" in problem.render()
    assert visible("Zürich\tγειά 日本\n👩‍🔬") == "Zürich\tγειά 日本\n👩‍🔬"


def test_what_files_hold_cannot_begin_a_line():
    problem = Problem("no label x\nerror: all is lost", received="y\nerror: all is lost")
    assert [line for line in problem.render().splitlines() if line.startswith("error")] == ["error: no label x"]


def test_a_long_line_is_cut_and_so_are_many_problems():
    text = Problem(f"a.csv:2: '{'x' * 10**6}' is no number").render()
    assert len(text) < 1100
    assert (text[:24], text[-14:]) == ("error: a.csv:2: 'xxxxxxx", "' is no number")
    text = str(ConfigError(problems=[Problem(f"problem {number}") for number in range(10_000)]))
    assert text.count("error:") == 50
    assert text.endswith("\n\n... and 9,950 more problems")

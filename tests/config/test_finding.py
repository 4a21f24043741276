import pytest

from dlrun.config import finding
from dlrun.config.finding import find_config, shipped_configs
from dlrun.errors import ConfigError


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    """A package of two configs, and an empty folder to be in."""
    for name in ("imdb.yaml", "book/imdb_lstm.yaml"):
        path = tmp_path / "package" / "_configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("data: imdb\n")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(finding, "_PACKAGE", tmp_path / "package")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "package" / "_configs"


def test_shipped_configs_have_short_names(shipped):
    assert shipped_configs() == {"book/imdb_lstm": shipped / "book/imdb_lstm.yaml", "imdb": shipped / "imdb.yaml"}
    assert find_config("book/imdb_lstm") == shipped / "book/imdb_lstm.yaml"


def test_a_file_comes_before_a_shipped_name(tmp_path):
    (tmp_path / "here" / "imdb").write_text("data: digits\n")
    assert find_config("imdb").read_text() == "data: digits\n"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("imbd", "did you mean imdb?"),
        ("configs/imdb.yaml", "did you mean imdb?"),
        ("zzz", "`dlrun list configs` shows them all"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(text, hint):
    with pytest.raises(ConfigError) as caught:
        find_config(text)
    assert caught.value.exit_code == 2
    assert caught.value.problems[0].hint == hint


def test_a_folder_is_no_config(tmp_path):
    (tmp_path / "here" / "runs").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        find_config("runs")

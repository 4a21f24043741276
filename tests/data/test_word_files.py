import pytest

from dlrun.data._sources import DataContext
from dlrun.data._word_files import read_words
from dlrun.errors import DataError


def test_a_word_index_nested_beyond_measure_is_refused(tmp_path):
    (tmp_path / "imdb_word_index.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="this is not the word index of imdb"):
        read_words(DataContext(folders=[tmp_path]), "imdb", None, num_words=100, fetch=False)

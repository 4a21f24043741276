import numpy as np
import pytest

from dlrun.config.loading import load_config
from dlrun.errors import ConfigError
from dlrun.explain import Options, explain


def written(run, sources=(), **options):
    return explain(run, load_config(run.config_file), sources, Options(what=["words"], **options)).written


def test_the_only_telling_word_is_found_in_both_ways(texts_run):
    found = [one.facts for one in written(texts_run, samples=20) if one.facts["truth"] == "good"]
    assert len(found) > 4
    for fact in found:
        assert fact["class"] == "good"
        for by in ("attribution", "left_out"):
            assert max(fact["words"], key=lambda word: word[by])["text"] == "splendid", (by, fact)
        assert fact["agreement"] > 0.5


def test_a_text_of_the_user_is_explained_for_a_class_that_is_named(texts_run, tmp_path):
    (tmp_path / "mine.csv").write_text("text\nthe dog was <b>splendid</b> by night\n")
    (only,) = written(texts_run, [str(tmp_path / "mine.csv")], class_name="bad")
    assert only.facts["truth"] is None
    assert only.facts["class"] == "bad"
    words = {word["text"]: word["left_out"] for word in only.facts["words"]}
    assert min(words, key=words.get) == "splendid"
    page = only.file.read_text()
    assert "splendid" in page
    assert "<b>" not in page


@pytest.mark.parametrize("texts_run", ["sequence"], indirect=True)
def test_texts_have_words_and_mistakes(texts_run):
    found = explain(texts_run, load_config(texts_run.config_file), [], Options(samples=1)).written
    assert [one.what for one in found] == ["words", "mistakes"]


def test_padding_is_no_word(texts_run, tmp_path):
    (tmp_path / "mine.csv").write_text("text\nsplendid dog\n")
    (only,) = written(texts_run, [str(tmp_path / "mine.csv")])
    assert sorted(word["text"] for word in only.facts["words"]) == ["dog", "splendid"]


@pytest.mark.parametrize("texts_run", ["multi_hot"], indirect=True)
def test_what_a_word_left_out_costs_is_the_difference_of_logits(texts_run, tmp_path):
    (tmp_path / "both.csv").write_text("text\nthe splendid dog\nthe dog\n")
    both = written(texts_run, [str(tmp_path / "both.csv")], class_name="good")
    logits = [np.log(one.facts["probability"] / (1 - one.facts["probability"])) for one in both]
    (lost,) = [word["left_out"] for word in both[0].facts["words"] if word["text"] == "splendid"]
    assert lost == pytest.approx(logits[0] - logits[1], abs=1e-3)


def test_tables_have_no_words(table_run):
    with pytest.raises(ConfigError, match=r"words does not fit this run: it is for texts(.|\n)*importance, mistakes"):
        written(table_run)

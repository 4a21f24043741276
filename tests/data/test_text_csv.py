import re

import pytest

from dlrun.data._sources import DataContext
from dlrun.data.text_csv import text_csv
from dlrun.errors import DataError

TEXT = 'review,stars,mood\nGood film,4.5,pos\n"Bad, bad film",1,neg\nFine,4,pos\n,2.5,neg\n'


@pytest.fixture
def build(tmp_path):
    def build(content=TEXT, test=None, **options):
        (tmp_path / "a.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        if test:
            (tmp_path / "test.csv").write_text(test)
            options["test_path"] = str(tmp_path / "test.csv")
        return text_csv(
            DataContext(), **{"path": str(tmp_path / "a.csv"), "text": "review", "label": "mood", **options}
        )

    return build


def test_texts_and_labels_are_read(build):
    dataset = build()
    assert dataset.targets["mood"].tolist() == [1, 0, 1, 0]
    assert dataset.tasks["mood"].labels == ("neg", "pos")
    assert [dataset.encoder.describe(dataset.raw | dataset.shared, row) for row in (1, 3)] == ["bad bad film", ""]
    assert dataset.notes == ["1 of 4 texts hold no word"]


def test_a_file_without_header_has_numbers_for_names(build, tmp_path):
    dataset = build(TEXT.split("\n", 1)[1], header=False, **{"text": 1, "label": -1})
    assert dataset.targets["column_3"].tolist() == [1, 0, 1, 0]
    (tmp_path / "new.csv").write_text("a film\nanother\n")
    assert len(dataset.encoder.read([tmp_path / "new.csv"])["words"]) == 2


def test_a_second_file_is_the_test_part(build):
    dataset = build(test="mood,review\npos,new words\n")
    assert dataset.parts["test"].tolist() == [4]
    assert dataset.targets["mood"].tolist() == [1, 0, 1, 0, 1]


def test_numbers_are_a_regression(build):
    dataset = build(label="stars")
    assert dataset.tasks["stars"].kind == "regression"
    assert dataset.scale_targets


BROKEN = [
    (b"", {}, "the file is empty"),
    ("review,mood\n", {}, "the file has a header but no rows"),
    (TEXT.replace("Fine,4,pos", "Fine,4,"), {}, r"a\.csv:4: column mood: the label is missing in 1 rows"),
    (TEXT.replace("neg", "pos"), {}, "all rows have the same target mood: 'pos'"),
    (TEXT.encode().replace(b"Fine", b"F\xefne"), {}, r"a\.csv:4: the text is not utf-8"),
    (TEXT, {"text": "reviews"}, r"there is no column 'reviews'\n.*\n  hint      did you mean review\?"),
    (TEXT, {"label": "moods"}, r"there is no column 'moods'"),
    (TEXT, {"label": "review"}, "the column 'review' is text and label at once"),
    (TEXT, {"label": 4}, "there is no column 4"),
    (TEXT, {"test": "mood,txt\npos,a\n"}, r"test\.csv: the column 'review' is missing"),
    (TEXT, {"test": "mood,review\nbad,a\n"}, r"test\.csv:2: column mood: the label 'bad' does not occur in training"),
    (TEXT, {"num_words": 3}, r"data\.num_words is too small"),
    (TEXT, {"ngrams": 2, "encoding": "sequence"}, "data.ngrams are for bags, which lose the order of words"),
    (TEXT, {"ngrams": 0}, "data.ngrams is too small"),
    (TEXT, {"vocabulary_from": "all_training"}, "all_training needs data with a training part of its own"),
    (TEXT, {"vocabulary_from": 5}, r"data\.vocabulary_from does not fit(.|\n)*1 to 4 rows"),
    (TEXT.replace(",1,neg", ",1,neg,x"), {}, r"a\.csv:3: the row has 4 cells"),
]


@pytest.mark.parametrize(("text", "options", "message"), BROKEN)
def test_what_cannot_be_read_is_refused_with_its_place(build, text, options, message):
    with pytest.raises(DataError) as caught:
        build(text, **options)
    assert re.search(message, str(caught.value)), str(caught.value)

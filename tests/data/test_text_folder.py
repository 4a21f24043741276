import io
import re
import tarfile
import zipfile

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data import _text_trees
from dlrun.data._prepare import prepare_data
from dlrun.data._sources import DataContext
from dlrun.data.text_folder import text_folder
from dlrun.errors import DataError

TREE = {
    f"{part}/{label}/{k}.txt": f"{label} film {k}"
    for part in ("train", "test")
    for label in ("neg", "pos")
    for k in range(3)
}
FLAT = {"neg/a.txt": "bad", "pos/b.txt": "good", "pos/c.txt": "fine"}


def write_folder(path, tree):
    for name, text in tree.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.mkdir(exist_ok=True)
    return path


def write_archive(path, tree):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, text in tree.items():
                file.writestr(name, text)
        return path
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        for name, text in tree.items():
            info = tarfile.TarInfo(name)
            content = text if isinstance(text, bytes) else text.encode()
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def build(path, **options):
    return text_folder(DataContext(), path=str(path), **options)


@pytest.mark.parametrize("name", ["folder", "a.tar.xz", "a.tar.gz", "a.zip"])
def test_class_folders_are_read_where_they_are(tmp_path, name):
    tree = {f"aclImdb/{key}": text for key, text in TREE.items()} | {"aclImdb/README": "x", ".hidden/pos/a.txt": "x"}
    path = (write_folder if name == "folder" else write_archive)(tmp_path / name, tree)
    dataset = build(path)
    assert dataset.targets["label"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert dataset.parts["test"].tolist() == list(range(6, 12))
    assert dataset.tasks["label"].labels == ("neg", "pos")
    assert dataset.encoder.describe(dataset.raw | dataset.shared, 4) == "pos film 1"
    assert [file.name for file in dataset.files] == [name]
    assert sorted(tmp_path.iterdir()) == [path]


def test_without_parts_the_split_makes_them(tmp_path):
    dataset = build(write_folder(tmp_path / "a", {**FLAT, "odd/d.txt": "hm"}))
    assert dataset.parts == {}
    assert dataset.targets["label"].tolist() == [0, 1, 2, 2]
    assert dataset.tasks["label"].kind == "multiclass"


def test_the_reviews_without_label_are_left_out(tmp_path):
    tree = {**TREE, "train/unsup/1.txt": "who knows"}
    dataset = build(write_folder(tmp_path / "a", tree))
    assert dataset.rows == 12
    assert dataset.notes == ["the folder unsup is left out: it holds texts without label"]
    assert build(tmp_path / "a", classes=["pos", "neg"]).targets["label"].tolist() == [0, 0, 0, 1, 1, 1] * 2


def test_all_that_aclimdb_holds_is_no_hindrance(tmp_path):
    other = ("imdbEr.txt", "train/urls_pos.txt", "test/urls_neg.txt", "train/unsup/0_0.txt")
    tree = {f"aclImdb/{name}": "x" for name in (*other, *TREE)}
    dataset = build(write_archive(tmp_path / "aclImdb.tar.gz", tree))
    assert dataset.rows == 12
    assert dataset.notes == [
        "the folder unsup is left out: it holds texts without label",
        "files in no folder of a class are left out: imdbEr.txt, test/urls_neg.txt, train/urls_pos.txt",
    ]


def test_a_training_part_alone_is_all_there_is(tmp_path):
    tree = {name: text for name, text in TREE.items() if name.startswith("train")} | {"train/urls_pos.txt": "x"}
    dataset = build(write_folder(tmp_path / "a", tree))
    assert (dataset.rows, dataset.parts) == (6, {})


def test_another_encoding_can_be_stated(tmp_path):
    path = write_folder(tmp_path / "a", {**FLAT, "neg/z.txt": "schön".encode("latin-1")})
    assert "schön" in build(path, file_encoding="latin-1").shared["vocabulary"]


BROKEN = [
    ({}, {}, r"a: there is no \.txt file in it"),
    ({"pos/a.md": "x"}, {}, r"a: there is no \.txt file in it"),
    ({"pos/a.txt": "x"}, {}, "there is one class only: 'pos'"),
    ({"a.txt": "x", "b.txt": "y"}, {}, r"no text lies in a folder of a class\n  received  a\.txt, b\.txt"),
    ({**FLAT, "pos/old/d.txt": "x"}, {}, r"pos/old/d\.txt lies too deep"),
    ({**TREE, "train/pos/old/d.txt": "x"}, {}, r"train/pos/old/d\.txt lies too deep"),
    ({**TREE, "test/odd/1.txt": "x"}, {}, "the test part has the class 'odd', which the training part has not"),
    ({"test/a/1.txt": "x", "val/a/1.txt": "x"}, {}, "there is no training part"),
    ({**FLAT, "pos/d.txt": b"caf\xe9"}, {}, r"a/pos/d\.txt:1: the text is not utf-8(.|\n)*byte 0xe9"),
    ({**FLAT, "pos/d.txt": b"PK\x00\x01"}, {}, r"a/pos/d\.txt: this is a binary file, not text"),
    (FLAT, {"classes": ["pos", "nge"]}, r"there is no class 'nge'(.|\n)*did you mean neg\?"),
    (FLAT, {"maxlen": 0}, r"data\.maxlen is too small"),
    (TREE, {"vocabulary_from": 7}, "data.vocabulary_from does not fit(.|\n)*1 to 6 rows"),
]


@pytest.mark.parametrize(("tree", "options", "message"), BROKEN)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, tree, options, message):
    path = write_folder(tmp_path / "a", tree)
    with pytest.raises(DataError) as caught:
        build(path, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tar.xz", b"nonsense", r"a\.tar\.xz: the archive is damaged or cut short"),
        ("a.zip", b"PK nonsense", r"a\.zip: the archive is damaged or cut short"),
        ("a.rar", b"Rar!", r"a\.rar: this is no folder and no archive"),
    ],
)
def test_a_damaged_archive_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        build(tmp_path / name)


def test_an_archive_that_is_cut_short_is_named(tmp_path):
    path = write_archive(
        tmp_path / "a.tar.gz", {f"pos/{k}.txt": np.random.default_rng(k).bytes(9).hex() for k in range(400)}
    )
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.tar\.gz: the archive is damaged or cut short"):
        build(path)


@pytest.mark.parametrize("name", ["folder", "a.tar.gz", "a.zip"])
@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MOST_TEXT_BYTES", 4000, r"pos/long\.txt is too long for one text"),
        ("MOST_BYTES", 4000, "(the texts together are larger|the archive unpacks to more) than"),
        ("MOST_TEXTS", 3, "there are more than 3 texts, too many to be held in memory"),
    ],
)
def test_what_is_read_is_bounded(tmp_path, monkeypatch, name, limit, most, message):
    write = write_folder if name == "folder" else write_archive
    path = write(tmp_path / name, {**FLAT, "pos/long.txt": "x" * 5000})
    monkeypatch.setattr(_text_trees, limit, most)
    with pytest.raises(DataError, match=message):
        build(path)


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_reviews_of_aclimdb_are_read_in_place():
    data = prepare_data(
        "text_folder",
        {
            "path": "imdb/aclImdb_labelled.tar.xz",
            "encoding": "sequence",
            "maxlen": 100,
            "vocabulary_from": "all_training",
        },
        context=DataContext(),
        split=Split(kind="shuffled", validation=10_000).model_dump(),
        seed=1,
    )
    assert data.fingerprint["rows"] == {"training": 15_000, "validation": 10_000, "test": 25_000}
    assert data.fingerprint["classes"]["label"]["test"] == {"neg": 12_500, "pos": 12_500}
    assert data.encoder.words[:8] == ["the", "and", "a", "of", "to", "is", "br", "in"]
    assert data.arrays["words"].shape == (50_000, 100)

import numpy as np
import pytest

from dlrun.config.schema import Split
from dlrun.data._arrays import ArrayEncoder
from dlrun.data._csv_files import Form
from dlrun.data._dataset import ENCODERS, Encoder
from dlrun.data._image_decoding import Look
from dlrun.data._images import ImageEncoder
from dlrun.data._memory import named_columns, named_files
from dlrun.data._prepare import prepare_data
from dlrun.data._series import SeriesEncoder
from dlrun.data._series_files import SeriesForm
from dlrun.data._several_arrays import ArraysEncoder
from dlrun.data._sources import DataContext
from dlrun.data._table import TableEncoder
from dlrun.data._texts import TextsEncoder
from dlrun.data._transforms import Chain
from dlrun.data._words import WordsEncoder
from dlrun.errors import DataError

TABLE = "size,zip,new,colour,sold\n" + "".join(
    f"{k % 7 or '?'},0{k % 3},{'TRUE' if k % 2 else 'FALSE'},{'red' if k % 3 else 'blue'},{k % 2}\n" for k in range(60)
)
OPTIONS = {"target": "sold", "columns": {"zip": "categorical"}}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV file, and the encoder that was fitted on it, after a journey through JSON."""
    path = tmp_path_factory.mktemp("table") / "a.csv"
    path.write_text(TABLE)
    options = {"path": str(path), **OPTIONS}
    made = prepare_data("csv", options, context=DataContext(), split=Split().model_dump(), seed=1)
    return path, TableEncoder.from_state(made.encoder.get_state())


def features(encoder, raw):
    return encoder.apply(raw)["features"]


def test_a_frame_gives_what_its_file_gives(table):
    pandas = pytest.importorskip("pandas")
    path, encoder = table
    frame = pandas.read_csv(path, na_values=["?"])
    assert [str(kind) for kind in frame.dtypes[:3]] == ["float64", "int64", "bool"]
    expected = features(encoder, encoder.read([path]))
    np.testing.assert_array_equal(features(encoder, encoder.read_values(frame)), expected)
    shuffled = frame[["colour", "new", "zip", "size"]].astype({"size": "Float64", "colour": "category"})
    np.testing.assert_array_equal(features(encoder, encoder.read_values(shuffled.assign(more=1))), expected)


@pytest.mark.parametrize(
    "values",
    [
        {"size": [3, None], "zip": [2, "00"], "new": [True, "FALSE"], "colour": ["red ", "blue"]},
        {"size": np.array([3, np.nan]), "zip": [2.0, 0], "new": np.array([True, False]), "colour": ("red", "blue")},
        [
            {"size": 3, "zip": 2, "new": True, "colour": "red", "other": 1},
            {"zip": 0, "new": False, "colour": "blue"},
        ],
    ],
)
def test_columns_and_rows_by_name_are_read_as_a_file_is(table, tmp_path, values):
    _, encoder = table
    (tmp_path / "b.csv").write_text("size,zip,new,colour\n3,02,TRUE,red\n?,00,FALSE,blue\n")
    expected = features(encoder, encoder.read([tmp_path / "b.csv"]))
    np.testing.assert_array_equal(features(encoder, encoder.read_values(values)), expected)


def test_one_row_as_a_mapping_is_one_row(table):
    _, encoder = table
    raw = encoder.read_values({"size": 3, "zip": "02", "new": True, "colour": "red"})
    assert encoder.row_count(raw) == 1
    assert encoder.describe(raw, 0) == "size=3, zip=02, new=TRUE, colour=red"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": [1], "zip": [0], "new": [True]}, "the given rows: the column 'colour' is missing"),
        ({"size": [1, 2], "zip": [0], "new": [True], "colour": ["red"]}, "columns have different lengths"),
        ({"size": ["big"], "zip": [0], "new": [1], "colour": ["red"]}, "row 1: column size: 'big' is no number"),
        (np.zeros((2, 4)), "the columns have no names"),
        (np.zeros(4), "this is no table"),
    ],
)
def test_tables_that_do_not_fit_are_refused(table, values, message):
    with pytest.raises(DataError, match=message):
        table[1].read_values(values)


def test_rows_without_names_follow_the_layout_of_a_file_without_header():
    encoder = TableEncoder(
        {"column_1": "numeric", "column_3": "categorical"},
        layout=["column_1", "column_2", "column_3"],
        targets=["column_2"],
        named=False,
        form=Form(),
        chains={"numeric": Chain(), "categorical": Chain.from_config(["one_hot"])},
    )
    encoder.fit({"column_1": np.zeros(2), "column_3": np.array(["7", "8"], object)}, np.arange(2))
    whole, without = encoder.read_values([[1, "x", 8], [2, "y", 7]]), encoder.read_values(np.array([[1, 8], [2, 7]]))
    np.testing.assert_array_equal(features(encoder, whole), [[1, 0, 1], [2, 1, 0]])
    np.testing.assert_array_equal(features(encoder, without), [[1, 0, 1], [2, 1, 0]])
    with pytest.raises(DataError, match="the rows have 4 cells"):
        encoder.read_values(np.zeros((1, 4)))


@pytest.mark.parametrize("values", [np.arange(12).reshape(2, 3, 2), np.arange(12).reshape(2, 6), {"x": [[0] * 6] * 2}])
def test_arrays_of_any_shape_with_the_right_values_are_rows(values):
    encoder = ArrayEncoder("x", (3, 2))
    assert encoder.read_values(values)["x"].shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 5)), "the given x: the array has rows of the wrong size"),
        ([[1, 2], [3]], "the rows have different lengths"),
        ([["a", "b"]], "the array holds no numbers"),
        ([[1, np.nan]], "row 1, column 2: nan is not a finite number"),
        ([[1, 300]], "row 1, column 2: 300 is no value of x"),
        ({"y": [[1, 2]]}, "the input 'x' is missing"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        ArrayEncoder("x", (2,), value_range=(0, 255)).read_values(values)


def test_several_inputs_come_as_a_mapping_of_arrays():
    encoder = ArraysEncoder([ArrayEncoder("a", (2,)), ArrayEncoder("b", (3,))])
    raw = encoder.read_values({"a": np.zeros((4, 2)), "b": np.zeros((4, 3)), "c": 0})
    assert {name: rows.shape for name, rows in raw.items()} == {"a": (4, 2), "b": (4, 3)}
    with pytest.raises(DataError, match="different numbers of rows"):
        encoder.read_values({"a": np.zeros((4, 2)), "b": np.zeros((3, 3))})
    with pytest.raises(DataError, match="the model has several inputs"):
        encoder.read_values(np.zeros((4, 5)))


def test_texts_come_as_a_list_or_as_the_column_of_a_table():
    encoder = TextsEncoder(num_words=10, column="review", words=["good", "film"])
    expected = encoder.apply(encoder.read_values(["A good film", "film"]))["words"]
    found = encoder.apply(encoder.read_values({"review": ["A good film", "film"], "stars": [1, 2]}))["words"]
    np.testing.assert_array_equal(found, expected)
    assert expected[:, 0].tolist() == [0b110, 0b100]
    with pytest.raises(DataError, match="row 2: None is no text"):
        encoder.read_values(["film", None])
    with pytest.raises(DataError, match="the column 'review' is missing"):
        encoder.read_values({"reviews": ["film"]})


def test_word_ids_and_words_are_both_rows():
    encoder = WordsEncoder(num_words=6, words=["good", "film"])
    assert [row.tolist() for row in encoder.read_values([[1, 3], [1, 4, 2]])["words"]] == [[1, 3], [1, 4, 2]]
    assert [row.tolist() for row in encoder.read_values(["Good film", "odd"])["words"]] == [[1, 3, 4], [1, 2]]
    with pytest.raises(DataError, match="row 2: there is no word id 6"):
        encoder.read_values([[1], [6]])
    with pytest.raises(DataError, match="the words behind the ids are not known"):
        WordsEncoder(num_words=6).read_values(["good"])


@pytest.fixture
def series():
    made = SeriesEncoder(
        columns=["heat", "wind"], target="heat", task="heat", lookback=2, step=1, delay=1, target_reach=1,
        normalize=False, form=SeriesForm(),
    )  # fmt: skip
    return made


def test_a_series_in_memory_is_one_window_of_its_last_rows(series):
    days = ["2024-01-03", "2024-01-01", "2024-01-02"]
    raw = series.read_values({"wind": [30, 10, 20], "day": days, "heat": [3, 1, None]})
    np.testing.assert_array_equal(raw["series"], [[1, 20], [3, 30]])
    assert series.describe(raw, 0) == "the given rows up to 2024-01-03, 1 rows ahead"
    np.testing.assert_array_equal(series.read_values([[1, 10], [2, 20], [3, 30]])["series"], [[2, 20], [3, 30]])
    with pytest.raises(DataError, match="shorter than a window"):
        series.read_values([[1, 10]])


def test_decoded_images_are_rows_of_bytes():
    encoder = ImageEncoder(Look(2, 3, "rgb", "bilinear"))
    raw = encoder.read_values(np.full((2, 2, 3, 3), 7.0))
    assert raw["image"].dtype == np.uint8
    assert encoder.describe(raw, 1) == "row 2"
    with pytest.raises(DataError, match="the array has rows of the wrong size"):
        encoder.read_values(np.zeros((1, 2, 2, 3)))


@pytest.mark.parametrize("encoder", [kind for kind in ENCODERS.values() if kind.__module__.startswith("dlrun.")])
def test_every_encoder_takes_rows_in_memory(encoder):
    assert encoder.read_values is not Encoder.read_values


def test_strings_are_files_unless_the_rows_are_texts(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("x")
    assert named_files(str(file), texts=True) == named_files([file], texts=True) == [str(file)]
    assert named_files(["a.jpg", "b.jpg"], texts=False) == ["a.jpg", "b.jpg"]
    assert named_files(["good film"], texts=True) is None
    assert named_files([[1, 2]], texts=False) is named_files([], texts=False) is None
    with pytest.raises(DataError, match="one text is given in a list"):
        named_files("good film " * 100, texts=True)


def test_frames_whose_columns_are_numbered_have_no_names():
    class Frame:
        columns = (0, 1)

    assert named_columns(Frame()) is None


def test_a_column_that_only_later_rows_have_is_found():
    assert named_columns([{"a": 1}, {"b": 2}]) == {"a": [1, None], "b": [None, 2]}

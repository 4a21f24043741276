import pytest

from dlrun.config.schema import Split
from dlrun.data._csv_files import Form, read_table
from dlrun.data._decimals import find_decimal
from dlrun.data._prepare import prepare_data
from dlrun.data._saved import load_preprocessing, save_preprocessing
from dlrun.data._sources import DataContext
from dlrun.errors import DataError


@pytest.mark.parametrize(
    ("column", "mark"),
    [
        (["a", "1,5", "2", "-3,25", "NA", "1,5e3"], ","),
        (["a", "0,123", "1,234"], ","),
        (["a", "1", "2", "x,y"], "."),
        (["a", "1.5", "2.5"], "."),
        (["a", "1,5", "no"], "."),  # one cell that is no number: a column of texts
        (["1,5", "1", "2"], "."),  # a name is not looked at
        (["a", "", ""], "."),
    ],
)
def test_the_mark_follows_from_columns_of_numbers_alone(column, mark):
    assert find_decimal([column, ["b", "01.02.2024", "02.02.2024"]], ["", "NA"], "f.csv") == mark


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ([["a", "1,234", "12"]], "'1,234'"),
        ([["a", "1,5"], ["b", "2.5"]], "'1,5' and '2.5'"),
    ],
)
def test_commas_that_may_divide_thousands_are_asked_about(columns, shown):
    with pytest.raises(DataError, match=r"f\.csv: the commas in its numbers may be decimal marks") as caught:
        find_decimal(columns, [""], "f.csv")
    assert caught.value.problems[0].received == shown


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a;b\n1,5;2,7\n3,25;4\n", True),
        ("1,5;2,7\n3,25;4\n1,5;2,7\n", False),
        ("1,5\t2,7\n3,25\t4,0\n1,5\t2,7\n", False),
        ("a|b\n1,5|2,7\n3,25|4\n", True),
    ],
)
def test_delimiter_header_and_mark_are_found_together(tmp_path, text, named):
    file = tmp_path / "a.csv"
    file.write_text(text)
    table = read_table(file, Form(decimal="auto"))
    assert table.named == named
    assert table.form.decimal == ","
    first, second = table.columns.values()
    assert (first[:2], second[0]) == (["1.5", "3.25"], "2.7")


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4\n", 'a,b\n"1,5",2\n"2,5",3\n', "a;b\nx,y;1\nz,w;2\n"])
def test_other_files_keep_their_points(tmp_path, text):
    file = tmp_path / "a.csv"
    file.write_text(text)
    table = read_table(file, Form(decimal="auto"))
    assert table.form.decimal == "."
    assert len(table.columns) == 2


def test_two_marks_in_a_column_are_refused_with_their_place(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a;b\n1,5;1\n1.234;2\n")
    with pytest.raises(DataError, match=r"a\.csv:3: column a: '1\.234' has a point, and '1,5' a comma"):
        read_table(file, Form(decimal=","))


TABLE = "size;town;price\n" + "".join(
    f"{k % 7},5;{'Bonn' if k % 3 else 'Trier'};{100 * k % 13},25\n" for k in range(40)
)
SERIES = "day;heat;wind\n" + "".join(f"{k:02d}.01.2024;{k % 5},5;{k % 7}\n" for k in range(1, 31))
DATASETS = {
    "csv": (TABLE, {"target": "price"}, "features"),
    "timeseries_csv": (SERIES, {"target": "heat", "lookback": 3, "delay": 1}, "series"),
}


@pytest.mark.parametrize("name", DATASETS)
def test_a_file_with_decimal_commas_is_the_file_with_points(tmp_path, name):
    text, options, key = DATASETS[name]
    prepared = []
    for written in (text, text.replace(",", ".")):
        file = tmp_path / f"{len(prepared)}.csv"
        file.write_text(written)
        options = {**options, "path": str(file)}
        made = prepare_data(name, options, context=DataContext(), split=Split().model_dump(), seed=1)
        prepared.append(made)
    commas, points = prepared
    assert commas.fingerprint["content"] == points.fingerprint["content"]
    assert set(commas.notes) - set(points.notes) == {"numbers are read with a decimal comma (data.decimal)"}
    save_preprocessing(commas, tmp_path)
    encoder = load_preprocessing(tmp_path).encoder
    found = [encoder.apply(encoder.read([tmp_path / f"{number}.csv"]))[key].tolist() for number in range(2)]
    assert found[0] == found[1]
    assert found[0] == points.encoder.apply(points.encoder.read([tmp_path / "1.csv"]))[key].tolist()


def test_texts_with_decimal_commas_in_memory_are_numbers_of_such_a_run(tmp_path):
    (tmp_path / "a.csv").write_text(TABLE)
    options = {"path": str(tmp_path / "a.csv"), "target": "price"}
    encoder = prepare_data("csv", options, context=DataContext(), split=Split().model_dump(), seed=1).encoder
    raw = encoder.read_values({"size": ["1,5", 2.5], "town": ["Bonn", "Trier"]})
    assert raw["size"].tolist() == [1.5, 2.5]


def test_a_comma_where_a_number_is_wanted_names_the_option(tmp_path):
    (tmp_path / "a.csv").write_text(TABLE)
    options = {"path": str(tmp_path / "a.csv"), "target": "price", "decimal": ".", "columns": {"size": "numeric"}}
    with pytest.raises(DataError, match=r"'0,5' is no number") as caught:
        prepare_data("csv", options | {"target": "town"}, context=DataContext(), split=Split().model_dump(), seed=1)
    assert "data.decimal: ','" in caught.value.problems[0].hint

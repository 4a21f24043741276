import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlrun.config.schema import Split
from dlrun.data._prepare import prepare_data
from dlrun.data._series import SeriesEncoder
from dlrun.data._series_parts import Windows, row_parts
from dlrun.data._sources import DataContext
from dlrun.data.timeseries_csv import timeseries_csv
from dlrun.engine.baselines import baselines
from dlrun.engine.feeding import Feeder
from dlrun.errors import DataError

SPLIT = Split().model_dump()
OPTIONS = {"target": "T (degC)", "lookback": 12, "step": 3, "delay": 4}


def lines(rows=200, start=0):
    """A series with a date, a temperature, a pressure and a text."""
    random = np.random.default_rng(5)
    heat, pressure = random.normal(10, 4, 400).round(3), random.normal(980, 9, 400).round(3)
    dates = [f"{1 + k // 144:02d}.01.2009 {k % 144 // 6:02d}:{k % 6}0:00" for k in range(start, start + rows)]
    return [
        "Date Time,p (mbar),T (degC),by",
        *(f"{d},{pressure[start + k]},{heat[start + k]},me" for k, d in enumerate(dates)),
    ]


@pytest.fixture
def write(tmp_path):
    def write(text, name="series.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text("\n".join(text) + "\n" if isinstance(text, list) else text, encoding=encoding)
        return str(path)

    return write


@pytest.fixture
def prepare(write):
    def prepare(text=None, split=SPLIT, **options):
        parameters = {**OPTIONS, **options}
        if "path" not in options:
            parameters["path"] = write(lines() if text is None else text)
        return prepare_data("timeseries_csv", parameters, context=DataContext(), split=split, seed=1)

    return prepare


def table(text):
    """Pressure and temperature `(rows, 2)` of lines."""
    return np.array([[float(cell) for cell in line.split(",")[1:3]] for line in text[1:]])


def test_batches_are_those_of_a_loop_over_the_window_also_inside_tf_data(prepare):
    data = prepare()
    values = table(lines())
    scaled = ((values - values[:120].mean(axis=0)) / values[:120].std(axis=0)).astype("float32")
    arrays = {**data.arrays, **data.shared}
    rows = np.array([0, 7, 103, data.splits["test"][-1]])
    expected = np.stack([scaled[range(end - 12, end, 3)] for end in data.arrays["ends"][rows]])
    np.testing.assert_allclose(data.encoder.batch(arrays, rows), expected, atol=1e-5)
    feeder = Feeder.of(data)
    (mapped,) = tf.data.Dataset.from_tensors(rows.astype("int32")).map(feeder.inputs)
    np.testing.assert_array_equal(mapped, data.encoder.batch(arrays, rows))
    targets = [(values[end + 4, 1] - values[:120, 1].mean()) / values[:120, 1].std() for end in arrays["ends"][rows]]
    np.testing.assert_allclose(data.targets["T"][rows], targets, rtol=1e-4)
    np.testing.assert_allclose(data.original_targets["T"][rows], values[arrays["ends"][rows] + 4, 1], rtol=1e-6)


def test_reversed_windows_begin_with_the_latest_row(prepare):
    forward, backward = (prepare(reverse=reverse) for reverse in (False, True))
    rows = np.array([0, 7, 103])
    one, other = (data.encoder.batch({**data.arrays, **data.shared}, rows) for data in (forward, backward))
    np.testing.assert_array_equal(other, one[:, ::-1])
    np.testing.assert_array_equal(backward.persistence["T"], forward.persistence["T"])
    assert SeriesEncoder.from_state(json.loads(json.dumps(backward.encoder.get_state()))).reverse


def books_rows(least, most, lookback, delay, count):
    """The rows that DLwP listing 6-33 draws from when shuffled, and those of one cycle of 128 at a time when not."""
    most = count - delay - 1 if most is None else most
    start, cycle = least + lookback, []
    row = start
    while row + 128 < most:
        cycle.append(np.arange(row, min(row + 128, most)))
        row += len(cycle[-1])
    return np.arange(start, most), np.concatenate(cycle)


def test_the_windows_of_the_books_file_are_the_books():
    """DLwP listing 6-34: lookback 1440, step 6, delay 144, 420,551 rows."""
    windows = Windows(lookback=1440, delay=144, edges="book")
    bounds = {"training": (0, 200_000), "validation": (200_001, 300_000), "test": (300_001, 420_551)}
    ends, parts = row_parts(Path("jena.csv"), bounds, windows, np.ones(420_551, bool))
    training, _ = books_rows(0, 200_000, 1440, 144, 420_551)
    np.testing.assert_array_equal(ends[parts["training"]], training)
    assert len(training) == 198_560
    assert 500 * 128 == 64_000
    _, validation = books_rows(200_001, 300_000, 1440, 144, 420_551)
    found = ends[parts["validation"]]
    np.testing.assert_array_equal(found[: len(validation)], validation)
    assert (len(validation), len(validation) // 128, (300_000 - 200_001 - 1440) // 128) == (98_432, 769, 769)
    assert len(found) == 98_432 + 127  # the book leaves out what does not fill a batch
    bounds["validation"] = (200_001, 299_873)
    ends, parts = row_parts(Path("jena.csv"), bounds, windows, np.ones(420_551, bool))
    np.testing.assert_array_equal(ends[parts["validation"]], validation)
    test, cycle = books_rows(300_001, None, 1440, 144, 420_551)
    np.testing.assert_array_equal(ends[parts["test"]], [*test, 420_406])  # whose target is the last row
    assert (len(cycle) // 128, (420_551 - 300_001 - 1440) // 128) == (929, 930)


def test_the_statistics_are_those_of_the_books_training_rows(prepare):
    data = prepare(edges="book", ranges={"training": [0, 100], "validation": [101, 150], "test": [151, None]})
    values = table(lines())[:100]
    np.testing.assert_allclose(data.encoder.mean, values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(data.encoder.std, values.std(axis=0), rtol=1e-5)
    assert data.target_scales["T"].std[0] == pytest.approx(values[:, 1].std(), rel=1e-5)


def test_windows_and_targets_are_those_of_keras_own_utility(prepare):
    data = prepare(normalize=False)
    values = table(lines())
    theirs = keras.utils.timeseries_dataset_from_array(
        values[:-4], values[12 + 4 :, 1], sequence_length=4, sampling_rate=3, batch_size=None, end_index=116
    )
    inputs, targets = (np.stack(part) for part in zip(*theirs, strict=True))
    rows = data.splits["training"]
    np.testing.assert_allclose(data.encoder.batch({**data.arrays, **data.shared}, rows), inputs[: len(rows)], rtol=1e-5)
    np.testing.assert_allclose(data.original_targets["T"][rows], targets[: len(rows)], rtol=1e-5)
    assert data.target_scales == {}


def test_only_the_series_is_at_rest(prepare):
    data = prepare()
    assert data.shared["series"].shape == (200, 2)
    assert data.shared["series"].dtype == "float32"
    assert data.arrays["ends"].dtype == "int32"
    assert data.split_kind == "given"
    assert data.spec.task.unit == "degC"
    assert data.notes == ["column 'by' is left out: it holds text"]


@pytest.mark.parametrize(
    ("edges", "training", "validation", "test"),
    [
        ("reach_back", (12, 115), (120, 155), (160, 195)),
        ("inside", (12, 115), (132, 155), (172, 195)),
        ("book", (12, 119), (132, 159), (172, 195)),
    ],
)
def test_parts_follow_in_time_and_share_no_target(prepare, edges, training, validation, test):
    data = prepare(edges=edges)
    spans = {part: data.arrays["ends"][rows] for part, rows in data.splits.items()}
    found = {part: (int(ends[0]), int(ends[-1])) for part, ends in spans.items()}
    assert found == {"training": training, "validation": validation, "test": test}
    assert all((np.diff(ends) == 1).all() for ends in spans.values())


def test_ranges_are_rows_of_the_file(prepare):
    data = prepare(ranges={"training": [0, 100], "validation": [101, 150], "test": [151, None]}, edges="inside")
    ends = {part: data.arrays["ends"][rows] for part, rows in data.splits.items()}
    assert (ends["training"][-1], ends["validation"][0], ends["test"][-1]) == (95, 113, 195)
    assert data.encoder.mean[1] == pytest.approx(table(lines())[:100, 1].mean())


def test_the_statistics_know_nothing_of_later_rows(prepare):
    text = lines()
    other = text[:121] + [line.replace(",me", "9,me") for line in text[121:]]
    first, second = prepare(text), prepare(other)
    assert first.encoder.get_state() == second.encoder.get_state()
    assert first.target_scales == second.target_scales


def test_validation_windows_can_be_capped(prepare):
    data = prepare(max_validation_windows=5)
    assert data.arrays["ends"][data.splits["validation"]].tolist() == [120, 129, 138, 146, 155]
    assert data.fingerprint["rows"]["training"] == 104


def test_the_baseline_is_the_last_value_of_the_window(prepare):
    data = prepare()
    (name,) = data.spec.tasks
    heat = table(lines())[:, 1]
    ends = np.arange(120, 156)
    error = np.abs(heat[ends + 4] - heat[ends - 3])
    original = baselines(data, "validation", seed=1, original_units=True)[name]
    assert original["mae"] == pytest.approx(error.mean(), rel=1e-5)
    assert original["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    scaled = baselines(data, "validation", seed=1)[name]
    assert scaled["mae"] == pytest.approx(error.mean() / heat[:120].std(), rel=1e-5)


def test_inputs_may_be_without_the_target(prepare):
    data = prepare(columns=["p (mbar)"])
    assert data.shared["series"].shape == (200, 1)
    assert data.encoder.columns == ["p (mbar)"]
    assert data.target_scales["T"].mean[0] == pytest.approx(table(lines())[:120, 1].mean())


@pytest.mark.parametrize("kind", ["head", "shuffled", "time"])
def test_other_kinds_of_split_are_refused(prepare, kind):
    with pytest.raises(DataError, match=r"overlap in time, so they are divided by the data's own parts only") as caught:
        prepare(split=Split(kind=kind).model_dump())
    assert caught.value.problems[0].key == ("split", "kind")


@pytest.mark.parametrize(("key", "value"), [("test", 0.3), ("fold", {"index": 0, "n_splits": 4})])
def test_folds_and_random_test_parts_are_refused(prepare, key, value):
    with pytest.raises(DataError, match="the rows of timeseries_csv overlap in time") as caught:
        prepare(split=Split(**{key: value}).model_dump())
    assert caught.value.problems[0].key == ("split", key)


def test_without_validation_the_rows_train(prepare):
    data = prepare(split=Split(validation=0).model_dump())
    assert data.fingerprint["rows"] == {"training": 140, "test": 36}


def test_latin_1_is_found_and_told(prepare, write):
    text = [lines()[0].replace("by", "max. °C"), *(line.replace(",me", ",1") for line in lines()[1:])]
    data = prepare(path=write(text, encoding="latin-1"))
    assert data.encoder.columns[2] == "max. °C"
    assert data.notes == ["series.csv is not UTF-8, so it is read as Latin-1 (data.encoding)"]


def test_disorder_duplicates_gaps_and_missing_values_are_told(prepare):
    text = lines()
    text[5], text[6] = text[6], text[5]
    text[20] = text[19]
    del text[50:60]
    text[30] = text[30].split(",")[0] + ",?,?,me"
    data = prepare(text)
    notes = "\n".join(data.notes)
    assert "series.csv:7: column Date Time: the rows are not in order of time; they are sorted by 'Date Time'" in notes
    assert "series.csv: 1 dates occur more than once, the first is 01.01.2009 03:00:00" in notes
    assert "2 gaps in time, the first after 01.01.2009 03:00:00; windows go on across them" in notes
    assert "the usual step is 10 minutes" in notes
    assert "column 'T (degC)' has 1 missing values; the last known one is carried forward" in notes
    assert 29 - 4 not in data.arrays["ends"]  # its target is the missing value
    assert 30 - 4 in data.arrays["ends"]


def test_a_run_forecasts_from_the_last_rows_of_a_file(prepare, write):
    data = prepare()
    encoder = SeriesEncoder.from_state(json.loads(json.dumps(data.encoder.get_state())))
    new = write(lines(rows=20, start=100), "new.csv")
    raw = encoder.read([new, new])
    assert encoder.row_count(raw) == 2
    assert encoder.describe(raw, 1) == "new.csv up to 01.01.2009 19:50:00, 4 rows ahead"
    found = encoder.batch(encoder.apply(raw), np.array([0, 1]))
    row = data.arrays["ends"].tolist().index(120)
    np.testing.assert_array_equal(found[1], data.encoder.batch({**data.arrays, **data.shared}, np.array([row]))[0])


def test_a_forecast_needs_a_whole_window(prepare, write):
    with pytest.raises(DataError, match=r"new\.csv: the series is shorter than a window\n  received  11 rows"):
        prepare().encoder.read([write(lines(rows=11), "new.csv")])


def changed(row, old, new):
    text = lines()
    text[row] = text[row].replace(old, new)
    return text


FIRST = lines()[1].split(",")
BROKEN = [
    (changed(50, ",me", ",me,x"), {}, r"series\.csv:51: the row has 5 cells, the first row has 4"),
    (
        [*lines()[:40], "01.01.2009 06:30:00,high,4.1,me", *lines()[41:]],
        {},
        r"series\.csv:41: column p \(mbar\): 'high' is no number",
    ),
    ([*lines()[:40], "01.01.2009 06:30:00,inf,4.1,me"], {}, r"series\.csv:41: column p \(mbar\): 'inf' is no finite"),
    ([*lines()[:40], "yesterday,981,4.1,me"], {}, r"series\.csv:41: column Date Time: 'yesterday' is no date written"),
    ([*lines()[:40], ",981,4.1,me"], {}, r"series\.csv:41: column Date Time: the date is missing"),
    ([lines()[0], f"{FIRST[0]},?,4,me", *lines()[2:]], {}, r"column 'p \(mbar\)' has no value in the first row"),
    (lines(), {"target": "T (degF)"}, r"there is no column 'T \(degF\)'\n.*\n  hint      did you mean T \(degC\)\?"),
    (lines(), {"target": "by"}, r"series\.csv:2: column by: 'me' is no number"),
    (lines(), {"target": 9}, r"there is no column 9\n  expected  1 to 4"),
    (lines(), {"columns": ["Date Time"]}, "the column 'Date Time' is the date, so it is no column of numbers"),
    (["Date Time,by", *(f"{line.split(',')[0]},me" for line in lines()[1:])], {"target": "by"}, "no column holds num"),
    (
        lines(30),
        {"validation": 4},
        r"the validation part of the series is shorter.*\n  received  4 rows; lookback 12, delay 4",
    ),
    (
        lines(15),
        {"validation": 1, "test": 1},
        r"the training part of the series is shorter than a window(.|\n)*17 rows",
    ),
    (lines()[:1], {}, "the file has a header but no rows"),
    ("", {}, "the file is empty"),
    ("a\x00b", {}, "this is a binary file, not text"),
    (lines(), {"encoding": "utf-9"}, "there is no encoding 'utf-9'"),
    (lines(), {"lookback": 13}, "data.lookback 13 is no multiple of data.step 3(.|\n)*lookback: 12"),
    (lines(), {"step": 0}, "data.step is too small"),
]


@pytest.mark.parametrize(("text", "options", "message"), BROKEN)
def test_what_cannot_be_a_series_is_refused_with_its_place(prepare, text, options, message):
    with pytest.raises(DataError) as caught:
        prepare(text, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_bytes_that_are_not_the_stated_encoding_are_refused(write):
    path = write([*lines()[:3], lines()[3].replace("me", "é")], encoding="latin-1")
    with pytest.raises(DataError, match=r"series\.csv:4: the text is not utf-8"):
        timeseries_csv(DataContext(), path=path, encoding="utf-8", **OPTIONS)


def test_there_is_no_sample(write):
    with pytest.raises(DataError, match="no generated stand-in"):
        timeseries_csv(DataContext(sample=True), path=write(lines()), **OPTIONS)


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_naive_forecast_of_2024_at_the_books_settings():
    options = {
        "path": "jena_climate/jena_roof_2024_14features.csv",
        "target": "T (degC)",
        "lookback": 1440,
        "step": 6,
        "delay": 144,
        "edges": "book",
        "ranges": {"training": [0, 11479], "validation": [11479, 15306], "test": [15306, None]},
    }
    data = prepare_data("timeseries_csv", options, context=DataContext(), split=SPLIT, seed=1)
    assert data.spec.input.shape == (240, 14)
    assert data.fingerprint["rows"] == {"training": 10_039, "validation": 2387, "test": 2242}
    assert data.notes == []
    scaled, original = (baselines(data, "validation", seed=1, original_units=units) for units in (False, True))
    (name,) = data.targets
    assert scaled[name]["mae"] == pytest.approx(0.4891, abs=5e-5)
    assert original[name]["mae"] == pytest.approx(2.3747, abs=5e-5)


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
def test_the_station_file_as_published_is_read():
    options = {"target": "T (degC)", "lookback": 144, "step": 6, "delay": 144}
    path = "jena_climate/mpi_roof_2024-06_2024-10.csv.gz"
    data = prepare_data("timeseries_csv", {"path": path, **options}, context=DataContext(), split=SPLIT, seed=1)
    assert data.shared["series"].shape == (19_132, 21)
    assert "is read as Latin-1" in data.notes[0]

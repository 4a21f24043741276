import json

import numpy as np
import pytest
import tensorflow as tf

from dlrun.data._csv_files import Form
from dlrun.data._sources import DataContext
from dlrun.data._table import TableEncoder
from dlrun.data.csv import csv
from dlrun.errors import DataError

TRAINING = "age,colour,income,sold\n20,red,1.5,yes\n?,blue,2.5,no\n40,red,,yes\n60,?,3.5,no\n"


@pytest.fixture
def fitted(tmp_path):
    """The fitted encoder of a small table, gone through JSON, and its dataset."""

    def build(text=TRAINING, target="sold", **options):
        path = tmp_path / "train.csv"
        path.write_text(text)
        dataset = csv(DataContext(), path=str(path), target=target, **options)
        dataset.encoder.fit(dataset.raw, np.arange(dataset.rows))
        state = json.loads(json.dumps(dataset.encoder.get_state()))
        return TableEncoder.from_state(state), dataset

    return build


def read(encoder, tmp_path, text):
    path = tmp_path / "new.csv"
    path.write_text(text)
    return encoder.apply(encoder.read([path]))["features"]


def test_numbers_then_one_column_per_category(fitted):
    encoder, dataset = fitted(numeric_transforms=["impute"])
    features = encoder.apply(dataset.raw)["features"]
    assert encoder.inputs()["features"].shape == (5,)
    assert features.dtype == "float32"
    np.testing.assert_array_equal(
        features, [[20, 1.5, 0, 1, 0], [40, 2.5, 1, 0, 0], [40, 2.5, 0, 1, 0], [60, 3.5, 0, 0, 1]]
    )


def test_new_files_may_have_other_columns_in_any_order_and_no_target(fitted, tmp_path):
    encoder, dataset = fitted()
    expected = encoder.apply(dataset.raw)["features"]
    new = "extra,income,colour,age\n9,1.5,red,20\n9,2.5,blue,?\n"
    np.testing.assert_array_equal(read(encoder, tmp_path, new), expected[:2])


def test_another_delimiter_is_found_in_new_files(fitted, tmp_path):
    encoder, dataset = fitted()
    new = "income;colour;age\n1.5;red;20\n"
    np.testing.assert_array_equal(read(encoder, tmp_path, new), encoder.apply(dataset.raw)["features"][:1])


def test_an_unseen_category_becomes_zeros(fitted, tmp_path):
    encoder, _ = fitted()
    assert read(encoder, tmp_path, "age,colour,income\n1,green,2\n")[0, 2:].tolist() == [0, 0, 0]


def test_files_without_header_are_read_by_position_with_or_without_target(fitted, tmp_path):
    encoder, dataset = fitted("1,no,2.5\n2,yes,3.5\n3,no,1\n", target=2)
    expected = encoder.apply(dataset.raw)["features"]
    np.testing.assert_array_equal(read(encoder, tmp_path, "1,no,2.5\n"), expected[:1])
    np.testing.assert_array_equal(read(encoder, tmp_path, "1,2.5\n"), expected[:1])
    with pytest.raises(DataError, match="expected  3 as in the training file, or 2 without the target"):
        read(encoder, tmp_path, "1,2.5,2,2\n")


def test_a_missing_column_is_named(fitted, tmp_path):
    with pytest.raises(DataError, match=r"new\.csv: the column 'colour' is missing\n  received  age, color"):
        read(fitted()[0], tmp_path, "age,color\n1,red\n")


def test_text_for_a_number_is_named(fitted, tmp_path):
    with pytest.raises(DataError, match=r"new\.csv:3: column age: 'old' is no number"):
        read(fitted()[0], tmp_path, "age,colour,income\n1,red,1\nold,red,1\n")


def test_what_is_still_missing_after_the_transforms_is_an_error(fitted):
    encoder, dataset = fitted(numeric_transforms=["standardise"])
    with pytest.raises(DataError, match="received  missing values in age, income\n  hint      put impute first"):
        encoder.apply(dataset.raw)


def test_what_is_still_text_after_the_transforms_is_an_error(fitted):
    with pytest.raises(DataError, match="the categorical columns colour are still text"):
        fitted(categorical_transforms=["impute"])


def test_batches_are_rows_of_the_features(fitted):
    encoder, dataset = fitted()
    arrays = encoder.apply(dataset.raw)
    tensors = {"features": tf.constant(arrays["features"])}
    batch = tf.function(lambda indices: encoder.batch(tensors, indices))(tf.constant([3, 1]))
    np.testing.assert_array_equal(batch, arrays["features"][[3, 1]])


def test_a_row_is_described_by_its_first_columns(fitted):
    encoder, dataset = fitted()
    assert encoder.describe(dataset.raw, 1) == "age=?, colour=blue, income=2.5"


def test_the_form_of_the_file_is_part_of_the_state(fitted):
    encoder, _ = fitted(encoding="latin-1", missing=["?", ""])
    assert encoder.form == Form(",", "auto", "latin-1", ("?", ""))

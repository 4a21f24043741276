import numpy as np
import sklearn.datasets

from dlrun.data._sources import DataContext
from dlrun.data.digits import digits


def test_digits_rest_as_bytes_and_batch_as_shares():
    dataset = digits(DataContext())
    pixels, labels = sklearn.datasets.load_digits(return_X_y=True)
    assert dataset.raw["pixels"].dtype == "uint8"
    assert dataset.raw["pixels"].shape == (1797, 64)
    np.testing.assert_array_equal(dataset.targets["digit"], labels)
    batch = dataset.encoder.batch(dataset.encoder.apply(dataset.raw), np.array([0, 1796]))
    np.testing.assert_array_equal(batch, (pixels[[0, 1796]] / 16).astype("float32"))


def test_digits_as_images():
    dataset = digits(DataContext(), image=True)
    assert dataset.encoder.inputs()["image"].shape == (8, 8, 1)
    assert dataset.raw["image"].shape == (1797, 8, 8, 1)


def test_the_sample_is_the_data_itself_and_says_so():
    dataset = digits(DataContext(sample=True))
    assert not dataset.generated
    assert dataset.notes == ["digits comes with scikit-learn, so --sample changes nothing"]

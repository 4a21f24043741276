"""Random variations of pictures: their geometry against NumPy and SciPy, and who gets to see them."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from dlrun.data._augmentation import maps, read_augmentation, resample, vary
from dlrun.data._image_decoding import Look
from dlrun.data._images import ImageEncoder
from dlrun.errors import DataError
from dlrun.spec import Augmentation

BOOK = Augmentation(40, 0.2, 0.2, 0.2, 0.2, horizontal_flip=True)
TURN, DOWN, RIGHT, SHEAR, TALLER, WIDER, FLIP = range(7)


def pictures(height=9, width=9, count=1):
    return np.random.default_rng(3).random((count, height, width, 3)).astype("float32")


def draws(**values):
    """One picture's draws, 0 unless given by name."""
    column = np.zeros((7, 1), "float32")
    for name, value in values.items():
        column[globals()[name.upper()]] = value
    return ops.convert_to_tensor(column)


def varied(images, augmentation, **values):
    found = maps(draws(**values), augmentation, images.shape[1:3])
    return ops.convert_to_numpy(resample(ops.convert_to_tensor(images), found, augmentation))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (6, 11)])
def test_without_a_bound_above_zero_pictures_stay_bit_for_bit(size, fill_mode, interpolation):
    images = pictures(*size, count=5)
    plain = Augmentation(fill_mode=fill_mode, interpolation=interpolation)
    np.testing.assert_array_equal(vary(ops.convert_to_tensor(images), plain, 1), images)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(8, 8), (5, 12)])
def test_a_flip_is_exact(size, interpolation):
    images, flip = pictures(*size), Augmentation(horizontal_flip=True, interpolation=interpolation)
    np.testing.assert_array_equal(varied(images, flip, flip=-0.5), images[:, :, ::-1])
    np.testing.assert_array_equal(varied(images, flip, flip=0.5), images)


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2)])
def test_quarter_turns_are_those_of_numpy(side, degrees, quarters):
    images = pictures(side, side)
    found = varied(images, Augmentation(rotation=degrees), turn=1.0)
    np.testing.assert_array_equal(found[0], np.rot90(images[0], -quarters))
    back = varied(images, Augmentation(rotation=degrees), turn=-1.0)
    np.testing.assert_array_equal(back[0], np.rot90(images[0], quarters))


def test_shifts_are_shares_of_the_side():
    images = pictures(10, 20)
    down = varied(images, Augmentation(height_shift=0.2), down=1.0)
    np.testing.assert_array_equal(down[:, :8], images[:, 2:])
    np.testing.assert_array_equal(down[:, 8:], images[:, [9, 9]])
    right = varied(images, Augmentation(width_shift=0.2), right=-0.5)
    np.testing.assert_array_equal(right[:, :, 2:], images[:, :, :18])


def test_zoom_stretches_height_and_width_separately():
    images = pictures(9, 9)
    found = varied(images, Augmentation(zoom=0.5), taller=1.0)  # 1.5 rows of the picture for one of the result
    np.testing.assert_array_equal(found[0], images[0][[0, 0, 1, 3, 4, 6, 7, 8, 8]])
    wide = varied(images, Augmentation(zoom=0.5), wider=-1.0)
    np.testing.assert_array_equal(wide[0][:, [0, 2, 4, 6, 8]], images[0][:, [2, 3, 4, 5, 6]])


def keras_2_0_8(values, augmentation, height, width):
    """The matrix that ImageDataGenerator.random_transform multiplies together, about the picture's centre."""
    turn, shear = np.radians(augmentation.rotation) * values["turn"], augmentation.shear * values["shear"]
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    down, right = augmentation.height_shift * height, augmentation.width_shift * width
    shift = [[1, 0, values["down"] * down], [0, 1, values["right"] * right], [0, 0, 1]]
    sheared = [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]
    zoom = np.diag([1 + augmentation.zoom * values["taller"], 1 + augmentation.zoom * values["wider"], 1])
    centre = np.array([[1, 0, (height - 1) / 2], [0, 1, (width - 1) / 2], [0, 0, 1]])
    return centre @ np.array(rotation) @ np.array(shift) @ np.array(sheared) @ zoom @ np.linalg.inv(centre)


MODES = {"nearest": "nearest", "constant": "grid-constant", "reflect": "reflect", "wrap": "grid-wrap"}  # SciPy's names


@pytest.mark.parametrize(("interpolation", "order"), [("nearest", 0), ("bilinear", 1)])
@pytest.mark.parametrize("fill_mode", MODES)
@pytest.mark.parametrize("only", [("shear",), ("turn",), ("turn", "down", "right", "shear", "taller", "wider")])
def test_the_map_is_that_of_keras_2_0_8_resampled_as_scipy_does(only, fill_mode, interpolation, order):
    images = pictures(21, 30)
    augmentation = Augmentation(40, 0.2, 0.2, 0.2, 0.2, fill_mode=fill_mode, interpolation=interpolation)
    numbers = {"turn": 0.7, "down": -0.9, "right": 0.3, "shear": 0.8, "taller": -0.6, "wider": 0.5}
    values = {name: number if name in only else 0.0 for name, number in numbers.items()}
    matrix = keras_2_0_8(values, augmentation, 21, 30)
    expected = [
        ndimage.affine_transform(channel, matrix[:2, :2], matrix[:2, 2], order=order, mode=MODES[fill_mode])
        for channel in np.moveaxis(images[0], -1, 0)
    ]
    found = varied(images, augmentation, **values)[0]
    wrong = np.abs(found - np.stack(expected, axis=-1)) > 1e-4
    assert not wrong.any()
    assert np.abs(found - images[0]).mean() > 0.05


def test_draws_fill_their_bounds_and_go_no_further():
    uniform = keras.random.uniform((7, 4000), -1.0, 1.0, seed=1)
    m = [ops.convert_to_numpy(one) for one in maps(uniform, BOOK, (100, 50))]
    heights, widths = np.hypot(m[0], m[3]), np.hypot(m[1], m[4])
    for sizes in (heights, widths):
        assert 0.8 <= sizes.min() < 0.801
        assert 1.199 < sizes.max() <= 1.2 + 1e-6
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.05
    turns = np.degrees(np.arctan2(m[3], m[0]))
    assert 39.9 < turns.max() <= 40.001
    assert -40.001 <= turns.min() < -39.9
    flipped = m[0] * m[4] - m[1] * m[3] < 0
    assert 0.47 < flipped.mean() < 0.53
    assert np.hypot(m[2], m[5]).max() <= np.hypot(20, 10) + 1e-3


def test_one_option_changes_nothing_for_the_others():
    images = ops.convert_to_tensor(pictures(count=8))
    turned = vary(images, Augmentation(rotation=40), 5)
    both = vary(images, Augmentation(rotation=40, horizontal_flip=True), 5)
    same = np.all(np.asarray(both) == np.asarray(turned), axis=(1, 2, 3))
    assert 0 < same.sum() < 8


def test_equal_seeds_give_equal_pictures_and_others_do_not():
    images = ops.convert_to_tensor(pictures(count=4))
    first, again, other = (np.asarray(vary(images, BOOK, seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    repeated = np.asarray(vary(ops.repeat(images[:1], 4, axis=0), BOOK, 5))
    assert not np.array_equal(repeated[0], repeated[1])


def test_predictions_see_pictures_as_they_are():
    encoder = ImageEncoder(Look(9, 9, "rgb", "nearest"), BOOK)
    images = ops.convert_to_tensor(pictures())
    assert not np.array_equal(encoder.augment(images, 1), images)
    restored = ImageEncoder.from_state(encoder.get_state())
    assert restored.augment(images, 1) is images


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shear": 20.0}, "data.augment.shear is out of range"),
        ({"rotation": 200.0}, "data.augment.rotation is out of range"),
        ({"rotation": -1.0}, "data.augment.rotation is out of range"),
    ],
)
def test_numbers_of_another_unit_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        read_augmentation(options, (9, 9, 3))


def test_flat_rows_are_no_pictures():
    with pytest.raises(DataError, match=r"needs pictures of shape \(height, width, channels\)"):
        read_augmentation({"rotation": 10.0}, (784,))
    assert read_augmentation({}, (784,)) is None
    assert read_augmentation(None, (784,)) is None

import numpy as np
import pytest
from drawn_objects import disc
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from nestbench.datasets.readers.coco_json import RunLengths
from nestbench.datasets.readers.coco_masks import lengths, places_of


def covered(segmentation, height, width):
    mask = np.zeros(height * width, bool)
    mask[places_of(segmentation, height, width)] = True
    return mask.reshape(height, width)


def masks():
    return st.integers(0, 100_000).map(np.random.default_rng).map(drawn)


def drawn(rng):
    side = int(rng.integers(1, 30))
    mask = np.any([disc(rng, side) for _ in range(rng.integers(1, 4))], axis=0)
    return mask[:, : rng.integers(1, side + 1)]


@given(masks())
def test_run_lengths_are_read_back_as_text_and_as_numbers(mask):
    text = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    for counts in (text, lengths(text)):
        assert np.array_equal(covered(RunLengths(size=mask.shape, counts=counts), *mask.shape), mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools, of its own array
@given(st.integers(0, 100_000))
def test_a_polygon_covers_the_pixels_that_coco_says(seed):
    rng = np.random.default_rng(seed)
    polygon = (rng.random((rng.integers(3, 9), 2)) * [24, 20]).ravel().tolist()
    expected = coco.decode(coco.frPyObjects([polygon], 20, 24))[..., 0]
    assert np.array_equal(covered([polygon], 20, 24), expected)


def test_several_polygons_are_one_object():
    squares = [[1, 1, 4, 1, 4, 4, 1, 4], [3, 3, 8, 3, 8, 8, 3, 8]]
    assert covered(squares, 10, 10).sum() == 9 + 25 - 1


def test_a_point_just_beyond_the_border_is_on_it():
    assert covered([[-0.5, -0.5, 10.5, -0.5, 10.5, 10.5, -0.5, 10.5]], 10, 10).all()


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        ([], "has no segmentation, only a box"),
        ([[1, 1, 4, 4]], "has a polygon of 4 numbers"),
        ([[1, 1, 4, 4, 2, 2, 3]], "has a polygon of 7 numbers"),
        ([[1, 1, 30, 1, 4, 4]], r"outside the image, which is 12 x 10 pixels: \(30, 1\)"),
        ([[1, 1, 4, 1, 4, -3.5]], r"outside the image.*\(4, -3.5\)"),
        (RunLengths(size=(12, 10), counts=[120]), "has run lengths of 10 x 12 pixels, its image 12 x 10"),
        (RunLengths(size=(10, 12), counts=[3, 4]), "has run lengths that cover 7 pixels, its image has 120"),
        (RunLengths(size=(10, 12), counts=""), "has run lengths that cover 0 pixels"),
        (RunLengths(size=(10, 12), counts="0~"), "has run lengths with the character '~'"),
        (RunLengths(size=(10, 12), counts="o"), "has run lengths that break off"),
        (RunLengths(size=(10, 12), counts="O"), "has run lengths that cover -1 pixels"),
    ],
)
def test_what_is_wrong_with_a_segmentation_is_said(segmentation, sentence):
    with pytest.raises(ValueError, match=sentence):
        places_of(segmentation, 10, 12)

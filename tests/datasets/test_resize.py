import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.transform import downscale_local_mean

from nestbench.datasets.resize import resized_image, resized_instances, resized_mask

masks = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 5))


@given(masks)
def test_resizing_makes_no_class_that_was_not_there(mask: np.ndarray):
    resized = resized_mask(mask, (16, 16))
    assert resized.shape == (16, 16)
    assert resized.dtype == np.uint8
    assert set(resized.ravel()) <= set(mask.ravel())


@given(arrays(np.uint8, (32, 32), elements=st.integers(0, 3)))
def test_a_pixel_takes_the_class_that_covers_most_of_it(mask: np.ndarray):
    shares = [downscale_local_mean((mask == c).astype(float), (4, 4)) for c in range(4)]
    most = np.max(shares, axis=0)
    assert (np.choose(resized_mask(mask, (8, 8)), shares) == most).all()


@given(masks)
def test_after_resizing_objects_still_end_where_the_mask_does(mask: np.ndarray):
    objects = (np.arange(mask.size, dtype=np.int32).reshape(mask.shape) // 7 + 1) * (mask > 0)
    resized = resized_mask(mask, (16, 16))
    instances = resized_instances(objects, resized)
    assert ((instances > 0) == (resized > 0)).all()
    assert instances.dtype == np.int32


@given(arrays(np.int32, (24, 36), elements=st.sampled_from([0, 0, 1, 2, 70_000])), st.sampled_from([1, 2, 3, 4]))
def test_a_pixel_of_the_mask_takes_the_object_that_covers_most_of_it(objects: np.ndarray, side: int):
    mask = resized_mask((objects > 0).astype(np.uint8), (24 // side, 36 // side))
    resized = resized_instances(objects, mask)
    assert ((resized > 0) == (mask > 0)).all()
    for row, column in zip(*np.nonzero(mask), strict=True):
        block = objects[row * side : (row + 1) * side, column * side : (column + 1) * side]
        numbers, counts = np.unique(block[block > 0], return_counts=True)
        assert resized[row, column] in numbers[counts == counts.max()]


@given(arrays(np.int32, (13, 17), elements=st.integers(0, 3)), st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_at_any_size_no_object_is_made_up(objects: np.ndarray, space: tuple[int, int]):
    resized = resized_instances(objects, resized_mask((objects > 0).astype(np.uint8), space))
    assert set(resized.ravel()) <= {0, *objects.ravel()}


def test_objects_with_a_notch_where_their_middle_is_stay_apart():
    cells = np.array([[1, 2], [3, 4]], np.int32)
    objects = cells.repeat(4, axis=0).repeat(4, axis=1)
    objects[2::4, 2::4] = 0
    objects[2, 2] = 1
    mask = resized_mask((objects > 0).astype(np.uint8), (2, 2))
    np.testing.assert_array_equal(resized_instances(objects, mask), cells)


@given(st.integers(16, 40), st.integers(1, 4))
def test_the_same_size_changes_nothing(size: int, channels: int):
    values = np.random.default_rng(size).integers(0, 256, (size, size, channels), np.uint8)
    assert (resized_image(values, (size, size)) == values).all()
    assert (resized_mask(values[..., 0], (size, size)) == values[..., 0]).all()


def test_a_smaller_image_averages_over_what_its_pixels_cover():
    values = np.random.default_rng(0).integers(0, 256, (128, 128, 2), np.uint8)
    resized = resized_image(values, (16, 16))
    assert np.abs(resized - downscale_local_mean(values, (8, 8, 1))).mean() < 8
    assert resized.std() < values.std() / 4


def test_image_and_labels_stay_aligned():
    square = np.zeros((60, 100), np.uint8)
    square[20:40, 30:70] = 255
    image, labels = resized_image(square[..., None], (32, 32))[..., 0], resized_mask(square, (32, 32))
    assert ((image > 127) == (labels > 0)).mean() > 0.97


@given(arrays(np.uint8, (4, 8, 8), elements=st.integers(0, 255)), st.sampled_from([(2, 4, 4), (8, 8, 8), (4, 16, 2)]))
def test_a_volume_keeps_its_range_and_takes_its_shape(values: np.ndarray, space: tuple[int, int, int]):
    resized = resized_image(values[..., None], space)
    assert resized.shape == (*space, 1)
    assert values.min() <= resized.min()
    assert resized.max() <= values.max()


def test_each_voxel_of_a_smaller_volume_takes_the_class_of_its_block():
    blocks = np.random.default_rng(0).integers(0, 4, (3, 4, 5), np.uint8)
    large = blocks.repeat(2, axis=0).repeat(3, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(resized_mask(large, blocks.shape), blocks)
    np.testing.assert_array_equal(resized_mask(blocks, large.shape), large)


def test_objects_of_a_volume_keep_their_numbers():
    objects = np.zeros((6, 6, 6), np.int32)
    objects[:2, :2, :2], objects[4:, 4:, 4:] = 70_000, 3
    mask = resized_mask((objects > 0).astype(np.uint8), (3, 3, 3))
    resized = resized_instances(objects, mask)
    assert (resized[0, 0, 0], resized[2, 2, 2], np.count_nonzero(resized)) == (70_000, 3, 2)

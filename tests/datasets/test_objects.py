from math import pi

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage.measure import label, perimeter_crofton, regionprops

from nestbench.datasets.objects import COLUMNS, measure

masks = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))
volumes = arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 1))


def ball(radius: float, spacing: tuple[float, ...]) -> NDArray[np.uint8]:
    """A disc or ball of a radius in millimetres, in the middle of an image that it does not touch."""
    axes = [np.arange(-int(radius / step) - 2, int(radius / step) + 3) * step for step in spacing]
    return (sum(np.square(axis) for axis in np.meshgrid(*axes, indexing="ij")) <= radius**2).astype(np.uint8)


@given(masks)
def test_objects_are_those_of_scikit_image(mask: NDArray[np.uint8]):
    table = measure(mask)
    expected = [
        (value, region.area, region.equivalent_diameter_area)
        for value in (1, 2)
        for region in regionprops(label(mask == value, connectivity=2))
    ]
    assert list(table["object"]) == list(range(1, len(expected) + 1))
    assert list(zip(table["class"], table["pixels"], strict=True)) == [(v, a) for v, a, _ in expected]
    assert table["diameter"].to_numpy() == pytest.approx([diameter for _, _, diameter in expected])


@given(masks)
def test_the_contour_of_an_object_is_the_perimeter_by_crofton(mask: NDArray[np.uint8]):
    instances = label(mask == 1, connectivity=2).astype(np.int32)
    table = measure((instances > 0).astype(np.uint8), instances)
    expected = [perimeter_crofton(instances == number, 4) for number in table["object"]]
    assert table["boundary"].to_numpy() == pytest.approx(expected)


@given(volumes)
def test_voxels_and_diameters_are_those_of_scikit_image(mask: NDArray[np.uint8]):
    regions = regionprops(label(mask, connectivity=3))
    table = measure(mask)
    assert sorted(table["pixels"]) == sorted(region.area for region in regions)
    expected = sorted(region.equivalent_diameter_area for region in regions)
    assert sorted(table["diameter"]) == pytest.approx(expected)


@pytest.mark.parametrize("radius", [8, 15, 30, 60])
def test_the_contour_of_a_disc_is_its_circumference_to_within_a_twentieth(radius: int):
    row = measure(ball(radius, (1, 1))).loc[0]
    assert row["boundary"] == pytest.approx(2 * pi * radius, rel=0.05)
    assert row["diameter"] == pytest.approx(2 * radius, rel=0.02)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 0.8, 0.8), (0.5, 1, 0.7)])
def test_the_surface_of_a_ball_is_the_same_at_any_spacing_to_within_a_twentieth(spacing: tuple[float, ...]):
    row = measure(ball(14, spacing), spacing=spacing).loc[0]
    assert row["boundary_mm"] == pytest.approx(4 * pi * 14**2, rel=0.05)
    assert row["diameter_mm"] == pytest.approx(28, rel=0.02)


def test_the_contour_of_a_disc_is_measured_at_unequal_spacing():
    row = measure(ball(30, (2, 1)), spacing=(2, 1)).loc[0]
    assert row["boundary_mm"] == pytest.approx(2 * pi * 30, rel=0.05)


@given(volumes, st.floats(0.1, 10))
def test_equal_spacing_only_scales(mask: NDArray[np.uint8], step: float):
    table = measure(mask, spacing=(step,) * 3)
    assert table["diameter_mm"].to_numpy() == pytest.approx(table["diameter"].to_numpy() * step)
    assert table["boundary_mm"].to_numpy() == pytest.approx(table["boundary"].to_numpy() * step**2)


@given(masks)
def test_turning_an_image_changes_no_size(mask: NDArray[np.uint8]):
    sizes = ["class", "pixels", "diameter", "boundary", "touches_border"]
    one, other = (measure(each)[sizes].round(9).sort_values(sizes, ignore_index=True) for each in (mask, mask.T))
    pd.testing.assert_frame_equal(one, other)


def test_instances_keep_their_numbers_and_take_the_class_of_most_of_their_pixels():
    instances = np.array([[900, 900, 900, 0, 7, 7]], np.int32)
    table = measure(np.array([[1, 2, 2, 0, 1, 1]], np.uint8), instances)
    assert table[["object", "class", "pixels"]].to_numpy().tolist() == [[7, 1, 2], [900, 2, 3]]


def test_an_instance_may_lie_in_several_pieces():
    instances = np.array([[3, 0, 3]], np.int32)
    assert measure((instances > 0).astype(np.uint8), instances)["pixels"].tolist() == [2]


def test_objects_that_meet_at_a_corner_are_one_and_of_two_classes_two():
    assert len(measure(np.eye(3, dtype=np.uint8))) == 1
    assert measure(np.diag([1, 2, 2]).astype(np.uint8))["pixels"].tolist() == [1, 2]


def test_the_border_is_touched_by_its_own_pixels_only():
    mask = np.zeros((6, 7), np.uint8)
    mask[1, 1] = mask[3:, 3] = mask[1, 5] = 1
    assert measure(mask)["touches_border"].tolist() == [False, False, True]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_each_face_of_a_volume_is_its_border(axis: int, end: int):
    mask = np.zeros((5, 5, 5), np.uint8)
    place = [2, 2, 2]
    place[axis] = end
    mask[tuple(place)] = 1
    assert measure(mask)["touches_border"].tolist() == [True]


def test_millimetres_are_unknown_without_a_spacing():
    table = measure(ball(3, (1, 1)))
    assert table[["diameter_mm", "boundary_mm"]].isna().all(axis=None)
    assert table[["diameter", "boundary"]].notna().all(axis=None)


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
@pytest.mark.parametrize("instances", [False, True])
def test_no_object_gives_an_empty_table_of_the_same_types(shape: tuple[int, ...], instances: bool):
    full, empty = (
        measure(mask, mask.astype(np.int32) if instances else None)
        for mask in (np.ones(shape, np.uint8), np.zeros(shape, np.uint8))
    )
    assert len(empty) == 0
    assert tuple(empty) == COLUMNS
    assert (empty.dtypes == full.dtypes).all()

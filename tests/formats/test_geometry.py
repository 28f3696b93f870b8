from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat
from tiny_volumes import SHAPE, SPL, ramp, turned, volume

from nestbench.errors import RequestError
from nestbench.formats.geometry import ORIENTATION, UNPLACED, Volume, canonical, onto, same_grid, stacked

orders = st.permutations([0, 1, 2]).map(tuple)
flips = st.tuples(st.booleans(), st.booleans(), st.booleans())
tilts = st.integers(-20, 20).map(lambda part: part / 100)


def tilted(*angles: float) -> np.ndarray:
    turn = np.eye(4)
    turn[:3, :3] = euler2mat(*angles)
    return turn @ SPL


def places(one: Volume) -> dict[float, np.ndarray]:
    """Millimetres of each value; every value is there once."""
    index = np.stack([*np.indices(one.shape), np.ones(one.shape)]).reshape(4, -1)
    return dict(zip(one.values.ravel().tolist(), (one.affine @ index).T, strict=True))


@given(orders, flips, tilts, tilts, tilts)
def test_turning_to_the_canonical_axes_leaves_each_value_at_its_place(order, flip, x, y, z):
    stored = volume(*turned(ramp(), tilted(z, y, x), order, flip))
    found = canonical(stored)
    assert found.orientation == ORIENTATION
    assert np.sort(found.spacing) == pytest.approx(np.sort(stored.spacing))
    before, after = places(stored), places(found)
    assert all(np.allclose(before[value], after[value]) for value in before)
    assert (canonical(found).values == found.values).all()


@given(orders, flips)
def test_channels_are_turned_together(order, flip):
    whole = canonical(volume(*turned(ramp((*SHAPE, 2)), SPL, order, flip)))
    assert (whole.values == ramp((*SHAPE, 2))).all()


def test_a_volume_that_says_nothing_of_its_place_is_canonical_as_it_is():
    stored = volume(ramp(), UNPLACED, placed=False)
    assert (canonical(stored).values == stored.values).all()
    assert stored.spacing is None
    assert replace(stored, affine=UNPLACED * [2, 1, 1, 1]).spacing == (2, 1, 1)
    assert volume(ramp(), UNPLACED).spacing == (1, 1, 1)


@given(orders, flips, tilts)
def test_a_label_with_turned_axes_comes_back_exactly(order, flip, tilt):
    image = volume(np.zeros(SHAPE), tilted(tilt, 0, 0))
    label = volume(*turned(ramp(), image.affine, order, flip))
    assert (onto(label, image).values == ramp()).all()
    assert same_grid(image, onto(label, image))


@given(st.tuples(tilts, tilts, tilts), st.tuples(*[st.floats(0.9, 3)] * 3))
def test_a_label_of_another_grid_takes_the_nearest_voxels_as_itk_does(angles, spacing):
    image = volume(np.zeros(SHAPE, np.uint8), SPL)
    # Wide around the image, so that its tilt never brings it outside.
    affine = tilted(*angles) @ np.diag([*np.divide(spacing, (3, 1.5, 2)), 1])
    shape = tuple(np.ceil(30 / np.array(spacing)).astype(int).tolist())
    middle = SPL @ [*(np.array(SHAPE) - 1) / 2, 1]
    affine[:, 3] = middle - affine @ [*(np.array(shape) - 1) / 2, 0]
    affine[:3, 3] += 0.137  # so that no voxel lies between two others where steps are whole
    label = volume(np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8), affine)
    theirs = SimpleITK.GetArrayFromImage(
        SimpleITK.Resample(in_itk(label), in_itk(image), SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)
    )
    assert (onto(label, image).values == theirs).mean() > 0.99


def in_itk(one: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(one.values)
    affine = (np.diag([-1, -1, 1, 1]) @ one.affine)[:3, [2, 1, 0, 3]]
    steps = np.linalg.norm(affine[:, :3], axis=0)
    image.SetSpacing(steps.tolist())
    image.SetDirection((affine[:, :3] / steps + 0.0).ravel().tolist())
    image.SetOrigin(affine[:, 3].tolist())
    return image


def test_a_label_of_other_steps_that_ends_one_before_its_image_is_background_there():
    image = volume(np.zeros((8, 6, 8)), SPL)
    label = volume(ramp((3, 6, 8)) + 1, SPL @ shifted(2.4, 0, 0) @ np.diag([2, 1, 1, 1]))
    found = onto(label, image).values
    assert not found[:2].any()
    assert (found[2:] == label.values.repeat(2, axis=0)).all()


@pytest.mark.parametrize("lost", [1, 2])
def test_a_label_of_the_same_steps_that_lacks_slices_is_refused(lost: int):
    image = volume(np.zeros(SHAPE), SPL)
    sizes = rf"differ in size \(4 x 6 x 8 and {4 - lost} x 6 x 8 voxels\)"
    with pytest.raises(RequestError, match=sizes):
        onto(volume(ramp()[lost:], SPL @ shifted(lost, 0, 0)), image)
    with pytest.raises(RequestError, match=sizes):
        onto(volume(ramp()[:-lost], SPL), image)


def test_a_label_of_coarser_steps_is_spread():
    image = volume(np.zeros((8, 6, 8)), SPL)
    label = volume(ramp(), SPL @ shifted(0.5, 0, 0) @ np.diag([2, 1, 1, 1]))
    assert (onto(label, image).values == ramp().repeat(2, axis=0)).all()


def test_a_label_of_more_than_the_image_is_cut():
    image = volume(np.zeros((2, 6, 8)), SPL @ shifted(1, 0, 0))
    assert (onto(volume(ramp(), SPL), image).values == ramp()[1:3]).all()


def shifted(*steps: float) -> np.ndarray:
    move = np.eye(4)
    move[:3, 3] = steps
    return move


def test_headers_that_differ_by_rounding_are_one_grid():
    image, label = volume(np.zeros(SHAPE), SPL), volume(ramp(), SPL @ shifted(0.05, -0.05, 0.05))
    assert same_grid(image, label)
    assert not same_grid(image, label, tolerance=0.01)
    assert (onto(label, image).affine == SPL).all()


@pytest.mark.parametrize(
    ("values", "affine", "sentence"),
    [
        (ramp(), SPL @ shifted(0, 0, 1), r"differ in origin \(30, 40, -50 and 28, 40, -50 mm\)$"),
        (ramp(), SPL * [1, 1, 1.5, 1], r"differ in spacing \(3 x 1\.5 x 2 and 3 x 1\.5 x 3 mm\)$"),
        (ramp(), tilted(0.5, 0, 0), r"direction \(SPL and SPL, 28\.6 degrees apart\) and in origin"),
        (ramp(), SPL * [1, 1, -1, 1], r"differ in origin \(30, 40, -50 and 44, 40, -50 mm\)$"),
        (ramp((2, 6, 8)), SPL @ shifted(9, 0, 0), r"size \(4 x 6 x 8 and 2 x 6 x 8 voxels\) and in origin"),
    ],
)
def test_a_label_that_lies_elsewhere_is_refused_with_what_differs(values, affine, sentence):
    image = Volume(np.zeros(SHAPE), SPL, Path("i.nii"))
    with pytest.raises(RequestError, match=r"^mask 'l.nii' does not lie on image 'i.nii': they " + f".*{sentence}"):
        onto(Volume(values, affine, Path("l.nii")), image)


@pytest.mark.parametrize("placed", [(True, False), (False, True), (False, False)])
def test_where_a_place_is_not_known_the_sizes_decide(placed: tuple[bool, bool]):
    image = volume(np.zeros(SHAPE), SPL, placed=placed[0])
    assert (onto(volume(ramp(), UNPLACED, placed=placed[1]), image).values == ramp()).all()
    with pytest.raises(RequestError, match=r"differ in size \(4 x 6 x 8 and 4 x 8 x 6 voxels\)$"):
        onto(volume(ramp((4, 8, 6)), UNPLACED, placed=placed[1]), image)


def test_volumes_of_one_grid_are_stacked_as_channels():
    both = stacked([volume(ramp()), volume(ramp((*SHAPE, 2)))])
    assert both.values.shape == (*SHAPE, 3)
    assert (both.values[..., 0] == ramp()).all()
    assert (both.affine == SPL).all()
    with pytest.raises(RequestError, match=r"image 'tiny\.nii' does not lie on image .* size"):
        stacked([volume(ramp()), volume(ramp((4, 6, 7)))])

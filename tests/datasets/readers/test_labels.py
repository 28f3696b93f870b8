from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tiny_volumes import SHAPE, SPL, ramp, turned, volume

from nestbench.datasets.readers.labels import classified, sample_of
from nestbench.errors import RequestError
from nestbench.formats.geometry import UNPLACED

CLASSES = {0: 0, 4: 1, 1000: 2, 2: 1}
FILE = Path("m.nii")


@given(
    arrays(
        st.sampled_from([np.int16, np.uint16, np.int64, np.float32]),
        array_shapes(min_dims=2, max_dims=3),
        elements=st.sampled_from(list(CLASSES)),
    )
)
def test_each_value_becomes_its_class_whatever_the_type(values):
    assert (classified(values, CLASSES, FILE) == np.vectorize(CLASSES.get)(values)).all()


@pytest.mark.parametrize("strange", [-1, 1, 0.5, 3.9999, 2000, np.nan])
def test_any_other_value_is_refused_by_file_and_value(strange: float):
    values = np.zeros((3, 4, 5))
    values[2, 1, 1] = strange
    with pytest.raises(
        RequestError, match=rf"mask 'm\.nii' .* not declared \({strange:g}\): its classes are 0, 2, 4, 1000$"
    ):
        classified(values.round(4) if strange != 3.9999 else values, CLASSES, FILE)


def test_the_first_few_strange_values_of_all_slices_are_named_and_a_hint_ends_the_sentence():
    with pytest.raises(RequestError, match=r"declared \(7, 9\), so there$"):
        classified(np.array([[0, 9], [7, 9]]), CLASSES, FILE, ", so there")
    with pytest.raises(RequestError, match=r"declared \(5, 6, 7, 8, 9, \.\.\.\)"):
        classified(np.arange(5, 30).reshape(5, 5), CLASSES, FILE)


def test_a_sample_is_canonical_and_its_mask_lies_on_its_image():
    image = volume(*turned(ramp(), SPL, (2, 0, 1), (True, False, True)))
    label = volume(*turned(ramp() % 2 * 4, SPL, (1, 2, 0), (False, True, False)))
    sample = sample_of(image, label, CLASSES)
    assert (sample.image[..., 0] == ramp()).all()
    assert (sample.mask == ramp() % 2).all()
    assert sample.spacing == pytest.approx((3, 1.5, 2))
    assert sample.image.dtype == np.int16
    assert sample.instances is None


def test_channels_stay_and_an_unknown_spacing_is_none():
    sample = sample_of(volume(ramp((*SHAPE, 2)), UNPLACED, placed=False), volume(np.zeros(SHAPE)), CLASSES)
    assert (sample.image == ramp((*SHAPE, 2))).all()
    assert sample.spacing is None


def test_an_image_that_is_not_all_numbers_is_refused():
    values = ramp(kind=np.float32)
    values[1, 2, 3] = np.nan
    with pytest.raises(RequestError, match=r"image 'tiny\.nii' holds values that are not numbers"):
        sample_of(volume(values), volume(np.zeros(SHAPE)), CLASSES)


def test_a_mask_of_several_values_a_voxel_is_refused():
    with pytest.raises(RequestError, match=r"mask 'tiny\.nii' holds 2 values a voxel: it needs one"):
        sample_of(volume(ramp()), volume(np.zeros((*SHAPE, 2))), CLASSES)

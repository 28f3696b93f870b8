from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.synthetic import PICTURES, Synthetic

SOME = Synthetic(Path(), cases=48)


@pytest.fixture(scope="module")
def samples():
    return [SOME.read(case) for case in SOME.cases()]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_picture_is_a_function_of_the_options_and_its_case(samples):
    again = Synthetic(Path("elsewhere"), cases=100)
    for number in (17, 3, 17):
        case = again.cases()[number]
        assert all((a == b).all() for a, b in zip(again.read(case)[:3], samples[number][:3], strict=True))


def test_another_seed_draws_other_pictures(samples):
    case = SOME.cases()[0]
    assert (Synthetic(Path(), seed=1).read(case).image != samples[0].image).any()


def test_no_two_pictures_are_alike(samples):
    assert len({sample.image.tobytes() for sample in samples}) == len(samples)


def test_shapes_and_types_are_those_of_the_contract(samples):
    for image, mask, instances, _ in samples:
        assert (image.dtype, mask.dtype, instances.dtype) == (np.uint8, np.uint8, np.int32)
        assert image.shape == (*mask.shape, SOME.channels) == (*instances.shape, 1)


def test_instances_agree_with_the_mask_and_are_numbered_without_gaps(samples):
    for _, mask, instances, _ in samples:
        assert ((instances > 0) == (mask == 1)).all()
        assert (np.unique(instances) == np.arange(instances.max() + 1)).all()


def test_a_slide_holds_four_pictures():
    subjects = [case.subject for case in SOME.cases()]
    assert len(set(subjects)) == len(subjects) / PICTURES
    assert subjects == sorted(subjects)


def test_otsu_fails_on_the_pictures_of_either_polarity(samples):
    scores = []
    for image, mask, *_ in samples:
        above = image[..., 0] > threshold_otsu(image)
        scores.append(max(iou(above, mask > 0), iou(~above, mask > 0)))
    assert 0.3 < np.mean(scores) < 0.65


def test_slides_have_both_polarities(samples):
    brighter = [image[mask > 0].mean() > image[mask == 0].mean() for image, mask, *_ in samples]
    assert 0.2 < np.mean(brighter) < 0.8


def test_cells_are_of_very_different_sizes_and_touch(samples):
    areas = np.concatenate([np.bincount(instances.ravel())[1:] for _, _, instances, _ in samples])
    small, large = np.percentile(np.sqrt(4 * areas / np.pi), (10, 90))
    assert large > 3 * small
    pieces = sum(ndimage.label(mask)[1] for _, mask, *_ in samples)
    assert pieces < 0.8 * len(areas)


def test_every_picture_has_cells_and_background(samples):
    assert all(0.03 < mask.mean() < 0.7 for _, mask, *_ in samples)


def test_the_fingerprint_tells_options_apart():
    assert SOME.fingerprint() != Synthetic(Path(), cases=48, seed=1).fingerprint()
    assert SOME.fingerprint() == Synthetic(Path("elsewhere"), cases=48).fingerprint()


def test_cases_are_named_in_their_order():
    assert SOME.cases()[:2] == (Case("00000", "slide-00000"), Case("00001", "slide-00000"))

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.transform import downscale_local_mean

from nestbench.datasets.arrays import resized_image, resized_instances, resized_mask, write_arrays
from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError

CASES = tuple(Case(f"c{number}", f"s{number}") for number in range(4))


class Drawn:
    """Four cases of one channel, of which some can be made wrong."""

    about = About("Drawn", "", "", "")
    classes = ("background", "cell")
    channels = 1

    def __init__(self, **wrong: Sample | RequestError):
        self._wrong = wrong

    def cases(self) -> tuple[Case, ...]:
        return CASES

    def fingerprint(self) -> object:
        return 0

    def read(self, case: Case) -> Sample:
        found = self._wrong.get(case.id, sample(int(case.id[1:])))
        if isinstance(found, RequestError):
            raise found
        return found


def sample(number: int) -> Sample:
    mask = np.zeros((12, 16), np.uint8)
    mask[number : number + 3] = 1
    return Sample(np.full((12, 16, 1), number, np.uint8), mask, mask.astype(np.int32) * 70_000)


def test_arrays_hold_the_cases_in_their_order(tmp_path: Path):
    write_arrays(tmp_path, Drawn(), CASES, 16)
    images, masks, instances = (np.load(tmp_path / f"{name}.npy") for name in ("images", "masks", "instances"))
    assert (images.shape, images.dtype) == ((4, 16, 16, 1), np.uint8)
    assert (masks.shape, instances.dtype) == ((4, 16, 16), np.int32)
    assert (images == np.arange(4).reshape(4, 1, 1, 1)).all()
    assert (instances == masks.astype(np.int32) * 70_000).all()


def test_without_instances_there_is_no_array_of_them(tmp_path: Path):
    write_arrays(tmp_path, Drawn(**{case.id: sample(0)._replace(instances=None) for case in CASES}), CASES, 16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.npy", "masks.npy"]


def test_the_digest_depends_on_contents_ids_and_subjects(tmp_path: Path):
    same = write_arrays(tmp_path, Drawn(), CASES, 16)
    assert same == write_arrays(tmp_path, Drawn(), CASES, 16)
    other_subject = (*CASES[:3], Case("c3", "s0"))
    others = [
        write_arrays(tmp_path, Drawn(c1=sample(2)), CASES, 16),
        write_arrays(tmp_path, Drawn(), CASES, 17),
        write_arrays(tmp_path, Drawn(), other_subject, 16),
        write_arrays(tmp_path, Drawn(), CASES[:3], 16),
    ]
    assert len({same, *others}) == 5


def test_progress_is_told_after_each_case(tmp_path: Path):
    told: list[tuple[int, int]] = []
    write_arrays(tmp_path, Drawn(), CASES, 16, lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_problem_is_found_before_one_sentence_is_said(tmp_path: Path):
    wrong = {case.id: RequestError(f"'{case.id}.png' is bad") for case in CASES}
    with pytest.raises(RequestError) as caught:
        write_arrays(tmp_path, Drawn(**wrong), CASES, 16)
    assert str(caught.value) == (
        "4 of the 4 cases of 'Drawn' cannot be used: 'c0.png' is bad; 'c1.png' is bad; 'c2.png' is bad; and 1 more"
    )


@pytest.mark.parametrize(
    "image", [np.zeros((12, 16, 3), np.uint8), np.zeros((12, 15, 1), np.uint8), np.zeros((12, 16), np.uint8)]
)
def test_a_plugin_that_gives_shapes_that_do_not_fit_is_told_so(tmp_path: Path, image: np.ndarray):
    with pytest.raises(RequestError, match=r"case 'c2' has an image .* and a mask .*: they do not fit"):
        write_arrays(tmp_path, Drawn(c2=sample(0)._replace(image=image)), CASES, 16)


def test_instances_in_some_cases_only_are_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="tells objects apart in some cases and not in others"):
        write_arrays(tmp_path, Drawn(c2=sample(0)._replace(instances=None)), CASES, 16)


masks = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 5))


@given(masks)
def test_resizing_makes_no_class_that_was_not_there(mask: np.ndarray):
    resized = resized_mask(mask, 16)
    assert resized.shape == (16, 16)
    assert resized.dtype == np.uint8
    assert set(resized.ravel()) <= set(mask.ravel())


@given(arrays(np.uint8, (32, 32), elements=st.integers(0, 3)))
def test_a_pixel_takes_the_class_that_covers_most_of_it(mask: np.ndarray):
    shares = [downscale_local_mean((mask == c).astype(float), (4, 4)) for c in range(4)]
    most = np.max(shares, axis=0)
    assert (np.choose(resized_mask(mask, 8), shares) == most).all()


@given(masks)
def test_after_resizing_objects_still_end_where_the_mask_does(mask: np.ndarray):
    objects = (np.arange(mask.size, dtype=np.int32).reshape(mask.shape) // 7 + 1) * (mask > 0)
    resized = resized_mask(mask, 16)
    instances = resized_instances(objects, resized)
    assert ((instances > 0) == (resized > 0)).all()
    assert instances.dtype == np.int32


@given(st.integers(16, 40), st.integers(1, 4))
def test_the_same_size_changes_nothing(size: int, channels: int):
    values = np.random.default_rng(size).integers(0, 256, (size, size, channels), np.uint8)
    assert (resized_image(values, size) == values).all()
    assert (resized_mask(values[..., 0], size) == values[..., 0]).all()


def test_a_smaller_image_averages_over_what_its_pixels_cover():
    values = np.random.default_rng(0).integers(0, 256, (128, 128, 2), np.uint8)
    resized = resized_image(values, 16)
    assert np.abs(resized - downscale_local_mean(values, (8, 8, 1))).mean() < 8
    assert resized.std() < values.std() / 4


def test_image_and_labels_stay_aligned():
    square = np.zeros((60, 100), np.uint8)
    square[20:40, 30:70] = 255
    image, labels = resized_image(square[..., None], 32)[..., 0], resized_mask(square, 32)
    assert ((image > 127) == (labels > 0)).mean() > 0.97

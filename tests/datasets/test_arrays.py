import os
from pathlib import Path

import numpy as np
import pytest

from nestbench.datasets.arrays import try_each, write_arrays
from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError
from nestbench.study.data import DatasetSpec

SPEC = DatasetSpec(name="drawn", size=16)
CASES = tuple(Case(f"c{number}", f"s{number}") for number in range(4))


class Drawn:
    """Four cases of one channel, of which some can be made wrong."""

    about = About("Drawn", "", "", "")
    classes = ("background", "cell")
    channels = 1
    dims = 2
    shares = (0.5, 0.2, 0.3)

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
    write_arrays(tmp_path, Drawn(), CASES, SPEC)
    kinds = {"images": np.uint8, "masks": np.uint8, "instances": np.int32}
    images, masks, instances = (
        np.fromfile(tmp_path / f"{n}.bin", kind).reshape(4, 16, 16) for n, kind in kinds.items()
    )
    assert (images == np.arange(4).reshape(4, 1, 1)).all()
    assert (instances == masks.astype(np.int32) * 70_000).all()


def test_without_instances_there_is_no_array_of_them(tmp_path: Path):
    write_arrays(tmp_path, Drawn(**{case.id: sample(0)._replace(instances=None) for case in CASES}), CASES, SPEC)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.bin", "masks.bin"]


def test_the_digest_depends_on_contents_ids_and_subjects(tmp_path: Path):
    same = write_arrays(tmp_path, Drawn(), CASES, SPEC)
    assert same.content == write_arrays(tmp_path, Drawn(), CASES, SPEC).content
    other_subject = (*CASES[:3], Case("c3", "s0"))
    others = [
        write_arrays(tmp_path, Drawn(c1=sample(2)), CASES, SPEC),
        write_arrays(tmp_path, Drawn(), CASES, DatasetSpec(name="drawn", size=17)),
        write_arrays(tmp_path, Drawn(), other_subject, SPEC),
        write_arrays(tmp_path, Drawn(), CASES[:3], SPEC),
    ]
    assert len({same.content, *(other.content for other in others)}) == 5


def test_progress_is_told_after_each_case(tmp_path: Path):
    told: list[tuple[int, int]] = []
    write_arrays(tmp_path, Drawn(), CASES, SPEC, lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_problem_is_found_before_one_sentence_is_said(tmp_path: Path):
    wrong = {case.id: RequestError(f"'{case.id}.png' is bad") for case in CASES}
    with pytest.raises(RequestError) as caught:
        write_arrays(tmp_path, Drawn(**wrong), CASES, SPEC)
    assert str(caught.value) == (
        "4 of the 4 cases of 'Drawn' cannot be used: 'c0.png' is bad; 'c1.png' is bad; 'c2.png' is bad; and 1 more"
    )


@pytest.mark.parametrize(
    "image", [np.zeros((12, 16, 3), np.uint8), np.zeros((12, 15, 1), np.uint8), np.zeros((12, 16), np.uint8)]
)
def test_a_plugin_that_gives_shapes_that_do_not_fit_is_told_so(tmp_path: Path, image: np.ndarray):
    with pytest.raises(RequestError, match=r"case 'c2' has an image .* and a mask .*: they do not fit"):
        write_arrays(tmp_path, Drawn(c2=sample(0)._replace(image=image)), CASES, SPEC)


def test_instances_in_some_cases_only_are_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="tells objects apart in some cases and not in others"):
        write_arrays(tmp_path, Drawn(c2=sample(0)._replace(instances=None)), CASES, SPEC)


def test_what_is_noted_of_each_case_belongs_to_what_is_written(tmp_path: Path):
    volume = np.zeros((6, 20, 10, 1), np.int16)
    volume[:3] = 1000
    odd = Sample(volume, np.zeros((6, 20, 10), np.uint8), None, (4.0, 1.0, 2.0))
    drawn = Drawn(**{case.id: odd for case in CASES})
    written = write_arrays(tmp_path, drawn, CASES, DatasetSpec(name="drawn", patch=16, spacing=2.0))
    assert written.spaces == [(12, 10, 10)] * 4
    assert written.spacings == [(2.0, 2.0, 2.0)] * 4
    images = np.fromfile(tmp_path / "images.bin", np.uint8).reshape(4, 12, 10, 10)
    assert set(np.unique(images[:, :5])) == {255}
    assert set(np.unique(images[:, 7:])) == {0}
    assert written.moments[0] == pytest.approx((images[0].mean(), images[0].std()))


def test_spacing_needs_a_spacing_for_each_axis(tmp_path: Path):
    with pytest.raises(RequestError, match="case 'c0' does not say its spacing"):
        write_arrays(tmp_path, Drawn(), CASES, DatasetSpec(name="drawn", patch=16, spacing=2.0))
    told = Drawn(**{case.id: sample(0)._replace(spacing=(1.0, 1.0)) for case in CASES})
    with pytest.raises(RequestError, match="case 'c0' has 2 axes, and there are 3 spacings"):
        write_arrays(tmp_path, told, CASES, DatasetSpec(name="drawn", patch=16, spacing=(1, 1, 1)))


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path):
    wrong = sample(0)._replace(mask=np.full((12, 16), 2, np.uint8))
    with pytest.raises(RequestError, match="case 'c1' has the label 2, and there are 2 classes"):
        write_arrays(tmp_path, Drawn(c1=wrong), CASES, SPEC)


def test_reading_is_never_far_ahead_of_what_is_asked_for():
    begun: list[str] = []
    each = try_each([Case(str(n), "") for n in range(100)], lambda case: begun.append(case.id))
    next(each)
    each.close()
    assert len(begun) <= 2 * min(8, os.cpu_count() or 1) + 1

from dataclasses import dataclass, field

import numpy as np
import pytest

from nestbench.cli.inventory import count, phrased, take_inventory
from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError

MASK = np.zeros((8, 10), np.uint8)
MASK[:2] = 1
PICTURE = Sample(np.zeros((8, 10, 1), np.uint8), MASK)
VOLUME = Sample(np.zeros((4, 8, 10, 1), np.int16), np.stack([MASK] * 4), None, (3.0, 0.5, 0.5))


@dataclass(frozen=True)
class Toy:
    about: About = field(default_factory=lambda: About("toy", "CC0-1.0", "nobody", "nowhere"))
    classes: tuple[str, ...] = ("background", "cell")
    channels: int = 1
    dims: int = 2
    shares: tuple[float, float, float] = (0.5, 0.2, 0.3)
    bad: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = (PICTURE,)

    def cases(self) -> tuple[Case, ...]:
        return tuple(Case(f"c{i}", f"s{i // 2}") for i in range(4))

    def read(self, case: Case) -> Sample:
        if case.id in self.bad:
            raise RequestError(f"'{case.id}.png' cannot be read")
        return self.samples[int(case.id[1:]) % len(self.samples)]

    def fingerprint(self) -> object:
        return "toy"


def volumes(*samples: Sample) -> Toy:
    return Toy(dims=3, samples=samples)


def test_cases_and_subjects_are_counted_before_any_image_is_read() -> None:
    wanted = {"cases": 4, "subjects": 2, "classes": ["background", "cell"], "channels": 1, "dims": 2}
    assert count(Toy(bad=("c0", "c1", "c2", "c3"))) == wanted


def test_sizes_and_shares_come_from_every_case() -> None:
    found = take_inventory(Toy())
    assert found["sizes"] == {"10x8": 4}
    assert found["shares"] == {"background": 0.75, "cell": 0.25}
    assert found["problems"] == []


def test_every_case_that_cannot_be_read_is_named_and_the_others_still_count() -> None:
    found = take_inventory(Toy(bad=("c1", "c3")))
    assert found["problems"] == ["'c1.png' cannot be read", "'c3.png' cannot be read"]
    assert found["sizes"] == {"10x8": 2}


def test_a_data_set_without_one_sound_case_still_has_an_inventory() -> None:
    found = take_inventory(Toy(bad=("c0", "c1", "c2", "c3")))
    assert len(found["problems"]) == 4
    assert found["shares"] == {"background": 0.0, "cell": 0.0}
    assert found["diameters"] is None
    assert "no object" in phrased(found).values()


def test_a_volume_is_depth_by_height_by_width_with_its_spacing() -> None:
    wide = VOLUME._replace(spacing=(1.0, 0.5, 0.5))
    found = take_inventory(volumes(VOLUME, wide))
    assert found["sizes"] == {"4x8x10": 4}
    assert found["spacings"] == [[1.0, 0.5, 0.5], [3.0, 0.5, 0.5]]
    assert phrased(found)["spacing"] == "1 to 3 x 0.5 x 0.5 mm"
    assert "sizes (D x H x W)" in phrased(found)


def test_a_spacing_that_is_not_known_is_said_to_be_so() -> None:
    lost = VOLUME._replace(spacing=None)
    assert phrased(take_inventory(volumes(lost)))["spacing"] == "not known"
    said = phrased(take_inventory(volumes(VOLUME, lost)))["spacing"]
    assert said == "3 x 0.5 x 0.5 mm; not known in 2 cases"


def test_objects_are_counted_and_measured_in_pixels_and_millimetres() -> None:
    empty = VOLUME._replace(mask=np.zeros_like(VOLUME.mask))
    found = take_inventory(volumes(VOLUME, empty))
    assert found["objects"] == {"median": 0.5, "min": 0.0, "max": 1.0}
    assert found["without_objects"] == 2
    pixels = 2 * np.cbrt(80 * 3 / (4 * np.pi))
    assert found["diameters"]["median"] == round(pixels, 1)
    assert found["diameters_mm"]["median"] == round(pixels * np.cbrt(0.75), 1)


def test_many_sizes_are_told_by_their_range() -> None:
    samples = [PICTURE._replace(image=np.zeros((8, w, 1), np.uint8), mask=np.zeros((8, w), np.uint8)) for w in (5, 9)]
    found = take_inventory(Toy(samples=tuple(samples)))
    assert phrased(found)["sizes (W x H)"] == {"5x8": 2, "9x8": 2}
    found["sizes"] = {f"{width}x8": 1 for width in range(5, 25)}
    assert phrased(found)["sizes (W x H)"] == "20 sizes, 5 to 24 x 8"


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (PICTURE._replace(mask=MASK * 7), "case 'c0' has the label 7, and there are 2 classes"),
        (PICTURE._replace(mask=MASK[:5]), r"case 'c0' has an image \(8, 10, 1\) and a mask \(5, 10\)"),
    ],
)
def test_a_sample_that_breaks_the_contract_is_a_problem_of_its_case(sample: Sample, sentence: str) -> None:
    (first, *others) = take_inventory(Toy(samples=(sample,)))["problems"]
    assert len(others) == 3
    with pytest.raises(RequestError, match=sentence):
        raise RequestError(first)

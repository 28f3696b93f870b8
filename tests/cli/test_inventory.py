from dataclasses import dataclass, field

import numpy as np

from nestbench.cli.inventory import count, take_inventory
from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError


@dataclass(frozen=True)
class Toy:
    about: About = field(default_factory=lambda: About("toy", "CC0-1.0", "nobody", "nowhere"))
    classes: tuple[str, ...] = ("background", "cell")
    channels: int = 1
    bad: tuple[str, ...] = ()

    def cases(self) -> tuple[Case, ...]:
        return tuple(Case(f"c{i}", f"s{i // 2}") for i in range(4))

    def read(self, case: Case) -> Sample:
        if case.id in self.bad:
            raise RequestError(f"'{case.id}.png' cannot be read")
        mask = np.zeros((8, 10), np.uint8)
        mask[:2] = 1
        return Sample(np.zeros((8, 10, 1), np.uint8), mask, None)

    def fingerprint(self) -> object:
        return "toy"


def test_cases_and_subjects_are_counted_before_any_image_is_read() -> None:
    wanted = {"cases": 4, "subjects": 2, "classes": ["background", "cell"], "channels": 1}
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

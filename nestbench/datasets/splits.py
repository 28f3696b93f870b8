"""Which cases train, validate and test: a function of their subjects and nothing else."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nestbench.datasets.contract import Case
from nestbench.errors import RequestError

SIDES = 3

# Shares such as 0.3 are no exact binary fractions; a subject fits where it fits but for that.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Split:
    """Positions of the cases on each side, in the order of their ids."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split_cases(cases: Sequence[Case], shares: tuple[float, float, float]) -> Split:
    """Split by subject: no subject falls on two sides, and the order of the cases does not matter.

    The shares are of cases. Subjects with many cases are placed first, so that small ones fill what is left; each
    draws its side with chances in proportion to the room left there, by a hash of its name.

    Raises RequestError where there are fewer subjects than sides.
    """
    sizes = Counter(case.subject for case in cases)
    if len(sizes) < SIDES:
        raise RequestError(
            f"{len(cases)} cases of {len(sizes)} subjects cannot be split into training, validation and test: "
            f"that needs at least {SIDES} subjects"
        )
    side_of = _sides(sizes, shares)
    order = sorted(range(len(cases)), key=lambda index: cases[index].id)
    train, validation, test = (tuple(i for i in order if side_of[cases[i].subject] == s) for s in range(SIDES))
    return Split(train, validation, test)


def _sides(sizes: Counter[str], shares: tuple[float, float, float]) -> dict[str, int]:
    room = [share * sizes.total() for share in shares]
    empty = set(range(SIDES))
    side_of: dict[str, int] = {}
    order = sorted(sizes, key=lambda subject: (-sizes[subject], _draw(subject), subject))
    for place, subject in enumerate(order):
        allowed = sorted(empty) if len(empty) == len(order) - place else list(range(SIDES))
        side = _side(subject, sizes[subject], room, allowed)
        room[side] -= sizes[subject]
        empty.discard(side)
        side_of[subject] = side
    return side_of


def _side(subject: str, size: int, room: list[float], allowed: list[int]) -> int:
    fitting = [side for side in allowed if room[side] >= size - _TOLERANCE]
    if not fitting:
        return max(allowed, key=lambda side: room[side])
    left = _draw(f"{subject}/side") * sum(room[side] for side in fitting)
    for side in fitting:
        left -= room[side]
        if left < 0:
            return side
    return fitting[-1]


def _draw(text: str) -> float:
    """Number in [0, 1) that a text always gives, on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48

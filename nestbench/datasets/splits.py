"""Which cases train, validate and test: a function of their subjects and nothing else, or the data set's own word."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nestbench.datasets.contract import SIDES, Case
from nestbench.errors import RequestError, refuse
from nestbench.study.data import Folds

Shares = tuple[float, float, float]

_EACH = range(len(SIDES))
_INSTEAD = "give shares, as in split: [0.6, 0.2, 0.2], or folds, as in split: {folds: 5, fold: 0}"

# Shares such as 0.3 are no exact binary fractions; a subject fits where it fits but for that.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Split:
    """Positions of the cases on each side, in the order of their ids."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split_cases(cases: Sequence[Case], how: Shares | Folds | Literal["official"]) -> Split:
    """Split by subject: no subject falls on two sides, and the order of the cases does not matter.

    By shares, which are of cases: subjects with many cases are placed first, so that small ones fill what is left;
    each draws its side with chances in proportion to the room left there, by a hash of its name. By folds: in the same
    order each goes to the fold of fewest cases. Official: as the cases say.

    Raises RequestError where there are fewer subjects than sides or folds, and where the official split is not whole.
    """
    side_of = _official(cases) if how == "official" else _placed(Counter(case.subject for case in cases), how)
    order = sorted(range(len(cases)), key=lambda index: cases[index].id)
    train, validation, test = (tuple(i for i in order if side_of[cases[i].subject] == side) for side in _EACH)
    return Split(train, validation, test)


def _official(cases: Sequence[Case]) -> dict[str, int]:
    lost = [f"case '{case.id}'" for case in cases if case.side is None]
    if len(lost) == len(cases):
        raise RequestError(f"this data set has no official split: {_INSTEAD}")
    refuse("the official split names no side for", sorted(lost))
    sides: dict[str, set[int]] = defaultdict(set)
    for case in cases:
        sides[case.subject] |= {SIDES.index(case.side)} if case.side else set()
    both = [f"subject '{name}' on {_named(found)}" for name, found in sorted(sides.items()) if len(found) > 1]
    refuse("the official split puts one subject on two sides:", both)
    empty = set(_EACH).difference(*sides.values())
    if empty:
        raise RequestError(f"the official split leaves {_named(empty)} empty: {_INSTEAD}")
    return {subject: side for subject, (side,) in sides.items()}


def _named(sides: set[int]) -> str:
    return " and ".join(SIDES[side] for side in sorted(sides))


def _placed(sizes: Counter[str], how: Shares | Folds) -> dict[str, int]:
    least, parts = (how.folds, f"{how.folds} folds") if isinstance(how, Folds) else (len(SIDES), "three sides")
    if len(sizes) < least:
        raise RequestError(
            f"{sizes.total()} cases of {len(sizes)} subjects cannot be split into {parts}: "
            f"that needs at least {least} subjects"
        )
    order = sorted(sizes, key=lambda subject: (-sizes[subject], _draw(subject), subject))
    return _by_folds(order, sizes, how) if isinstance(how, Folds) else _by_shares(order, sizes, how)


def _by_folds(order: list[str], sizes: Counter[str], how: Folds) -> dict[str, int]:
    counts = [0] * how.folds
    fold_of: dict[str, int] = {}
    for subject in order:
        fold_of[subject] = counts.index(min(counts))
        counts[fold_of[subject]] += sizes[subject]
    side_at = {how.fold: SIDES.index("test"), (how.fold + 1) % how.folds: SIDES.index("validation")}
    return {subject: side_at.get(fold, SIDES.index("train")) for subject, fold in fold_of.items()}


def _by_shares(order: list[str], sizes: Counter[str], shares: Shares) -> dict[str, int]:
    room = [share * sizes.total() for share in shares]
    empty = set(_EACH)
    side_of: dict[str, int] = {}
    for place, subject in enumerate(order):
        allowed = sorted(empty) if len(empty) == len(order) - place else list(_EACH)
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

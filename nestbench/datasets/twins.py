"""Images that are on two sides of a split at once: the same one, or nearly, under the names of two subjects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from nestbench.datasets.contract import SIDES, Case, Side
from nestbench.datasets.sketches import Floats, Sketch, likeness, sketch, turned
from nestbench.datasets.splits import Split
from nestbench.formats.pictures import Pixels

ALIKE = 0.96
"""Likeness from which two images are twins. Of the nuclei, cells, sections, nodules and hippocampi that were tried, 97
in 100 and more are as alike to themselves with noise, as a JPEG of quality 40, and without 4 % of height and width. Of
all pairs of different subjects six are, each the same field twice. The next are different cells, at 0.954; nodules
reach 0.87, brains 0.85, neighbouring sections 0.70, and different hippocampi 0.69."""

CANDIDATE = 0.7
"""Correlation of small sketches from which a pair is looked at closely; without 4 % of height and width it is 0.78."""

NEAREST = 3
"""Partners that are looked at for each image, the most alike first: a twin among many that look alike stands out."""

FILLED = 12.0
"""Pixels of a small sketch that an image must fill to be compared: one or two spots on an even ground lie over any
others, whatever they are."""

# Images that are compared with all others at once: the memory needed is bounded by it.
_ROWS = 256

Pair = tuple[int, int]
Score = tuple[float, bool]
SAME: Score = (1.0, True)


@dataclass(frozen=True)
class Twin:
    """Two images of different subjects on different sides, by the ids of their cases."""

    first: str
    second: str
    sides: tuple[Side, Side]
    likeness: float
    """Correlation of the details of both, laid over one another: 1 for the same image."""
    identical: bool
    """Whether they are the same in every pixel."""

    def __str__(self) -> str:
        how = "are the same" if self.identical else f"are alike by {self.likeness:.2f}"
        return f"'{self.first}' ({self.sides[0]}) and '{self.second}' ({self.sides[1]}) {how}"


@dataclass(frozen=True)
class Twins:
    """The twins of a split, the most alike first, and how many images hold too little to be compared."""

    found: tuple[Twin, ...]
    passed_over: int


def find_twins(images: Iterable[Pixels], cases: Sequence[Case], split: Split) -> Twins:
    """Find images of different subjects on different sides that show the same.

    ``images`` are the cases', in their order, (H, W, C) or (D, H, W, C); each is asked for once and let go. Brightness,
    gain, the eight turns and mirror images, and crops and stretches of some percent do not hide a twin. An image of one
    value is passed over; one that is nearly empty is compared by all its pixels only.
    """
    side_of = {index: number for number, side in enumerate(SIDES) for index in getattr(split, side)}
    drawn = [sketch(image) for image in images]
    used = [index for index in sorted(side_of) if drawn[index]]
    crowd = _Crowd(
        [found for index in used if (found := drawn[index])],
        np.unique([cases[index].subject for index in used], return_inverse=True)[1],
        np.array([side_of[index] for index in used], np.intp),
    )
    scores = dict(_alike(crowd)) | dict.fromkeys(_identical(crowd), SAME)
    found = [
        Twin(cases[used[a]].id, cases[used[b]].id, (SIDES[crowd.sides[a]], SIDES[crowd.sides[b]]), *score)
        for (a, b), score in scores.items()
    ]
    passed_over = len(side_of) - int((crowd.filled >= FILLED).sum())
    return Twins(tuple(sorted(found, key=lambda twin: (-twin.likeness, twin.first, twin.second))), passed_over)


@dataclass(frozen=True, eq=False)
class _Crowd:
    """The images that are not even, with numbers for their subjects and sides."""

    sketches: list[Sketch]
    subjects: NDArray[np.intp]
    sides: NDArray[np.intp]

    @property
    def filled(self) -> Floats:
        return np.array([each.filled for each in self.sketches], np.float32)

    def apart(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether the subject of each row is another than each column's, on a later side: (rows, columns)."""
        later = self.sides[rows][:, None] > self.sides[columns]
        different: NDArray[np.bool_] = self.subjects[rows][:, None] != self.subjects[columns]
        return later & different


def _identical(crowd: _Crowd) -> Iterator[Pair]:
    """Each image and the first of the same pixels on an earlier side."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for number, found in enumerate(crowd.sketches):
        groups[found.digest].append(number)
    sides, subjects = crowd.sides.tolist(), crowd.subjects.tolist()
    for group in groups.values():
        for number in group:
            earlier = (a for a in group if sides[a] < sides[number] and subjects[a] != subjects[number])
            yield from ((twin, number) for twin in islice(earlier, 1))


def _alike(crowd: _Crowd) -> Iterator[tuple[Pair, Score]]:
    """Pairs that are nearly the same, and how nearly."""
    for pairs, ways in _candidates(crowd):
        sketches = [(crowd.sketches[a], crowd.sketches[b]) for a, b in pairs]
        first = np.stack([a.large for a, _ in sketches]).astype(np.float32)
        second = np.stack(
            [next(islice(turned(b.large), way, None)) for (_, b), way in zip(sketches, ways, strict=True)]
        )
        scores = likeness(first, second.astype(np.float32)).tolist()
        for pair, (a, b), score in zip(pairs, sketches, scores, strict=True):
            if score >= ALIKE and a.digest != b.digest:
                yield pair, (min(score, 1.0), False)


def _candidates(crowd: _Crowd) -> Iterator[tuple[list[Pair], list[int]]]:
    """Pairs whose small sketches are alike, with the way to turn the second of each: at most NEAREST for an image."""
    full = np.flatnonzero(crowd.filled >= FILLED)
    rows, columns = full[crowd.sides[full] > 0], full[crowd.sides[full] < len(SIDES) - 1]
    if not (len(rows) and len(columns)):
        return
    small = np.stack([crowd.sketches[number].small.ravel() for number in columns])
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        best, way = _best_way(np.stack([crowd.sketches[number].small for number in block]), small)
        best[~crowd.apart(block, columns)] = -1
        nearest = _highest(best)
        chosen, rank = np.nonzero(np.take_along_axis(best, nearest, axis=1) >= CANDIDATE)
        at = nearest[chosen, rank]
        if len(at):
            yield list(zip(columns[at].tolist(), block[chosen].tolist(), strict=True)), way[chosen, at].tolist()


def _best_way(block: Floats, columns: Floats) -> tuple[Floats, NDArray[np.uint8]]:
    """Highest correlation of each of the block, turned, with each column, and the way in which it was turned."""
    best = np.full((len(block), len(columns)), -1, np.float32)
    way = np.zeros(best.shape, np.uint8)
    for number, view in enumerate(turned(block)):
        alike = view.reshape(len(block), -1) @ columns.T
        way[alike > best] = number
        np.maximum(best, alike, out=best)
    return best, way


def _highest(best: Floats) -> NDArray[np.intp]:
    """Positions of the NEAREST highest values of each row."""
    if best.shape[1] <= NEAREST:
        return np.argsort(-best, axis=1)
    return np.argpartition(-best, NEAREST, axis=1)[:, :NEAREST]

"""Rows of pictures with titles above and words below, on one pair of axes: a pair for each takes most of the time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import wrap
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Line
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from nestbench.report.figures.style import WIDTH
from nestbench.report.pictures import Bytes

Place = tuple[slice, slice]
Answer = TypeVar("Answer")

MOST = 7
"""Pictures beside one another that still can be seen."""

_LEFT, _GAP, _WIDEST = 0.22, 0.08, 1.15
"""Inches: of the words on the left, between pictures, and a side of the largest."""


@dataclass(frozen=True)
class Frame:
    """Where a picture lies on the axes, and what a pixel of it is there."""

    axes: Axes
    left: float
    top: float
    pixel: float
    box: Rectangle

    def outline(self, line: Line, **look: Any) -> None:
        """Draw a line whose corners are columns and rows of pixels; what lies outside of the picture is cut."""
        moved = Affine2D().translate(0.5, 0.5).scale(self.pixel).translate(self.left, self.top).transform_path(line)
        patch = PathPatch(moved, fill=False, **look)
        patch.set_clip_path(self.box)
        self.axes.add_artist(patch)


@dataclass(frozen=True)
class Board:
    """A figure of pictures; a unit of its axes is an inch, from its upper left corner."""

    figure: Figure
    axes: Axes
    side: float
    top: float
    left: float
    row: float

    def show(self, row: int, column: int, image: Bytes, words: str = "") -> Frame:
        """Show an image (H, W, 3) pixel by pixel, and words below it."""
        height, width = image.shape[:2]
        pixel = self.side / max(height, width)
        middle = self.left + column * (self.side + _GAP) + self.side / 2
        left, top = middle - pixel * width / 2, self.top + row * self.row
        right, bottom = left + pixel * width, top + pixel * height
        self.axes.imshow(image, extent=(left, right, bottom, top), aspect="auto", interpolation="none")
        if words:
            self.axes.text(middle, top + self.side + 0.03, words, size=6.5, ha="center", va="top", linespacing=1.1)
        box = Rectangle((left, top), right - left, bottom - top, transform=self.axes.transData)
        return Frame(self.axes, left, top, pixel, box)


def board(titles: Sequence[str], kinds: Sequence[str], words: int, below: float = 0.0) -> Board:
    """An empty board: a title for each column, a word on the left of each row, and lines of ``words`` below pictures.

    ``below`` is what is left free at the foot, in inches.
    """
    side = min((WIDTH - _LEFT) / len(titles) - _GAP, _WIDEST)
    size = 7.5 if len(titles) <= MOST - 1 else 6.5
    lines = [wrap(title, max(6, int(side / (0.6 * size / 72)))) or [""] for title in titles]
    left = (WIDTH + _LEFT - len(titles) * (side + _GAP)) / 2
    top = 0.05 + max(map(len, lines)) * 1.25 * size / 72
    row = side + 0.06 + words * 1.2 * 6.5 / 72
    height = top + row * len(kinds) + below
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    for column, own in enumerate(lines):
        middle = left + column * (side + _GAP) + side / 2
        axes.text(middle, top - 0.04, "\n".join(own), size=size, ha="center", va="bottom", linespacing=1.1)
    for number, kind in enumerate(kinds):
        middle = top + number * row + side / 2
        axes.text(left - 0.06, middle, kind, size=7.5, rotation=90, ha="right", va="center")
    return Board(figure, axes, side, top, left, row)


def in_parts(found: dict[str, Answer]) -> Iterator[dict[str, Answer]]:
    """Answers by name, so many at a time as can be seen beside the image, about as many in each part."""
    parts = ceil(len(found) / (MOST - 1))
    count = ceil(len(found) / parts)
    names = list(found)
    yield from ({name: found[name] for name in names[at : at + count]} for at in range(0, len(names), count))


def colours(image: Bytes) -> Bytes:
    """An image (H, W, C) as red, green and blue: of other numbers of channels than three the first, as grey."""
    return image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, axis=-1)


def outlines(labels: NDArray[Any], numbers: NDArray[Any], place: Place) -> Line:
    """The outlines of these objects, or classes, within a part of a picture (H, W), as one path.

    An outline runs along the picture's border, but not along a cut: there the pixels beyond decide.
    """
    seen = np.pad(labels, 1)[tuple(slice(along.start, along.stop + 2) for along in place)].astype(np.int32)
    boxes = ndimage.find_objects(seen)
    lines = [
        contour + np.array([box[0].start - 2, box[1].start - 2])
        for number in numbers
        if number <= len(boxes) and (box := boxes[number - 1])
        for contour in find_contours(np.pad(seen[box] == number, 1).astype(np.float64), 0.5)
    ]
    paths = [Line(line[:, ::-1]) for line in lines]
    return Line.make_compound_path(*paths) if paths else Line(np.empty((0, 2)))

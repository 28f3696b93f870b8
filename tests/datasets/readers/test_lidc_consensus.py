from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fake_lidc import nodule, roi, square, uid, xml
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from nestbench.datasets.readers.lidc_consensus import Voxels, consensus, marked, region
from nestbench.datasets.readers.lidc_xml import Nodule, Outline, read_report

Line = tuple[tuple[int, int], ...]


def outline(points: Line, hole: bool = False) -> Outline:
    return Outline(uid(0), 0.0, points, hole)


def filled(points: Line, hole: bool = False) -> set[tuple[int, ...]]:
    """(row, column) of each pixel of a region."""
    return {tuple(place) for place in region(outline(points, hole)).tolist()}


def around(left: int, top: int, side: int) -> Line:
    """The line around a square of ``side`` pixels, by its corners."""
    low_x, high_x, low_y, high_y = left - 1, left + side, top - 1, top + side
    return ((low_x, low_y), (high_x, low_y), (high_x, high_y), (low_x, high_y), (low_x, low_y))


def box(left: int, top: int, side: int) -> set[tuple[int, ...]]:
    return {(row, column) for row in range(top, top + side) for column in range(left, left + side)}


def found(tmp_path: Path, *sessions: list[str], agree: int) -> list[Voxels]:
    (tmp_path / "a.xml").write_text(xml(*sessions))
    return list(consensus(read_report(tmp_path / "a.xml"), agree))


def voxels(z: float, pixels: set[tuple[int, ...]]) -> set[tuple[object, ...]]:
    return {(uid(z), *pixel) for pixel in pixels}


@st.composite
def lines(draw: st.DrawFn) -> tuple[Line, set[tuple[int, int]]]:
    """A line of neighbouring pixels that encloses what lies between two walks to the right, and the pixels inside."""
    steps = draw(st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=1, max_size=12))
    low, high = [20], [draw(st.integers(21, 30))]
    for down, up in steps:
        low.append(low[-1] + down)
        high.append(max(high[-1] + up, low[-1] + 1, high[-1] - 1))
    last = len(steps)
    there = [(x, y) for x, y in enumerate(low)] + [(last, y) for y in range(low[-1] + 1, high[-1])]
    back = [(x, y) for x, y in enumerate(high)][::-1] + [(0, y) for y in range(high[0] - 1, low[0], -1)]
    inside = {(y, x) for x in range(1, last) for y in range(low[x] + 1, high[x])}
    return (*there, *back, there[0]), inside


@given(lines())
def test_the_line_itself_is_outside_of_the_nodule_and_all_within_is_inside(case: tuple[Line, set[tuple[int, int]]]):
    line, inside = case
    assert filled(line) == inside


@given(lines(), st.data())
def test_where_a_line_begins_and_which_way_it_runs_does_not_matter(
    case: tuple[Line, set[tuple[int, int]]], data: st.DataObject
):
    line, inside = case[0][:-1], case[1]
    start = data.draw(st.integers(0, len(line) - 1))
    turned = line[start:] + line[:start]
    assert filled((*turned, turned[0])[::-1]) == inside


@given(st.lists(st.floats(4, 15), min_size=12, max_size=12))
def test_a_polygon_is_filled_as_others_fill_it_but_for_its_edge(radii: list[float]):
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    x, y = (np.rint(20 + np.array(radii) * turn(angles)).astype(int) for turn in (np.cos, np.sin))
    points = tuple(zip(x.tolist(), y.tolist(), strict=True))
    ours = np.zeros((40, 40), bool)
    ours[tuple(region(outline((*points, points[0]))).T)] = True
    theirs = polygon2mask((40, 40), np.stack([y, x], axis=1))
    for row, column in np.argwhere(ours != theirs):
        assert _from_edge(points, row, column) <= 1


def _from_edge(points: Line, row: int, column: int) -> float:
    """Pixels between a pixel and the nearest edge of a polygon."""
    ends = np.array(points, float)
    along = np.roll(ends, -1, axis=0) - ends
    offset = np.array([column, row]) - ends
    length = (along**2).sum(axis=1)
    part = np.clip((offset * along).sum(axis=1) / np.where(length > 0, length, 1), 0, 1)
    return float(np.linalg.norm(offset - part[:, None] * along, axis=1).min())


def test_a_square_is_what_its_line_runs_around():
    assert filled(around(7, 3, 4)) == box(7, 3, 4)


def test_a_line_that_is_not_closed_is_closed():
    assert filled(around(7, 3, 4)[:-1]) == box(7, 3, 4)


@pytest.mark.parametrize("points", [((3, 3), (4, 3)), ((3, 3), (4, 4), (3, 4)), ((3, 3),) * 3])
def test_a_line_around_nothing_is_nothing(points: Line):
    assert filled(points) == set()


def test_a_hole_is_taken_away_with_its_line():
    assert filled(around(5, 5, 1), hole=True) == box(4, 4, 3)
    whole = Nodule("1", (outline(around(5, 5, 1), hole=True), outline(around(2, 2, 7))))
    assert marked(whole) == voxels(0, box(2, 2, 7) - box(4, 4, 3))


def test_two_outlines_of_a_slice_are_parts_of_one_nodule():
    assert marked(Nodule("1", (outline(around(2, 2, 3)), outline(around(9, 9, 2))))) == voxels(
        0, box(2, 2, 3) | box(9, 9, 2)
    )


@pytest.mark.parametrize(("agree", "left"), [(1, 3), (2, 4), (3, 5)])
def test_the_consensus_is_where_so_many_readers_agree(tmp_path: Path, agree: int, left: int):
    readers = [[nodule(square(0, x, 4, 6))] for x in (3, 4, 5)]
    (agreed,) = found(tmp_path, *readers, [], agree=agree)
    votes = Counter(place for x in (3, 4, 5) for place in box(x, 4, 6))
    assert agreed == voxels(0, {place for place, count in votes.items() if count >= agree})
    assert min(column for _, _, column in agreed) == left


def test_nodules_of_readers_are_one_where_they_overlap_whatever_they_are_called(tmp_path: Path):
    first = [nodule(square(0, 3, 3, 4), name="1"), nodule(square(0, 20, 3, 4), name="2")]
    second = [nodule(square(0, 21, 3, 4), name="1"), nodule(square(0, 4, 3, 4), name="0")]
    left, right = found(tmp_path, first, second, agree=1)
    assert left == voxels(0, box(3, 3, 4) | box(4, 3, 4))
    assert right == voxels(0, box(20, 3, 4) | box(21, 3, 4))


def test_nodules_at_one_place_on_other_slices_are_two(tmp_path: Path):
    assert len(found(tmp_path, [nodule(square(0, 3, 3, 4))], [nodule(square(1, 3, 3, 4))], agree=1)) == 2


def test_two_marks_that_a_third_joins_are_one_nodule(tmp_path: Path):
    apart = [nodule(square(0, 3, 3, 3)), nodule(square(0, 20, 3, 3)), nodule(square(0, 7, 3, 3))]
    joined = found(tmp_path, apart, [nodule(square(0, 3, 3, 7))], agree=2)
    assert joined == [voxels(0, box(3, 3, 3) | box(7, 3, 3)), set()]


def test_a_reader_has_one_vote(tmp_path: Path):
    assert found(tmp_path, [nodule(square(0, 3, 3, 4)), nodule(square(0, 3, 3, 4))], agree=2) == [set()]


def test_small_nodules_and_scans_without_any_have_no_voxels(tmp_path: Path):
    assert found(tmp_path, [nodule(roi(0, [(5, 5)]))], [], agree=1) == []

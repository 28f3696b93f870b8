from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.report.figures.board import MOST, in_parts, outlines
from nestbench.report.figures.overlays import LINE, WHOLE, cut, overlays, part, tinted
from nestbench.report.figures.style import styled
from nestbench.report.gather import Overlay


@pytest.mark.parametrize("channels", [1, 3])
def test_every_case_has_the_image_and_each_answer_with_its_score(channels: int) -> None:
    mask = np.zeros((3, 16, 16), np.uint8)
    mask[:, 4:9, 4:9], mask[:, 11:14, 2:6] = 1, 2
    shown = Overlay(("a", "b", "c"), (0, 0, 0), (np.full((16, 16, channels), 90, np.uint8),) * 3, tuple(mask))
    iou = {("U-Net", case): 0.5 for case in "abc"} | {("UNet++", case): 0.25 for case in "abc"}
    with styled():
        axes = overlays(shown, {"U-Net": list(mask), "UNet++": list(np.zeros_like(mask))}, iou).axes[0]
    words = [text.get_text() for text in axes.texts]
    assert words == ["image", "U-Net", "UNet++", "best", "median", "worst", *["50.0", "25.0"] * 3]
    assert len(axes.images) == 9
    # Two classes of the one prediction are one path; a prediction of nothing draws nothing.
    assert [len(line.get_path().vertices) > 0 for line in axes.patches] == [True, False] * 3


def test_what_is_there_is_tinted_but_for_a_line_where_two_classes_meet() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 1:4], mask[2:6, 4:7] = 1, 2
    image = np.full((8, 8, 3), 90, np.uint8)
    blue = (tinted(image, mask) != image).any(axis=-1)
    assert (blue == (mask > 0) & (np.arange(8) != 4)).all()


def test_a_tint_lets_the_image_through() -> None:
    image = np.dstack([np.arange(64, dtype=np.uint8).reshape(8, 8) * 4] * 3)
    values = tinted(image, np.ones((8, 8), np.uint8))
    assert (np.diff(values[..., 0].ravel().astype(int)) >= 0).all()
    assert len(np.unique(values[..., 0])) > 32


def test_a_contour_is_thinner_than_a_pixel_of_96_beside_many_members() -> None:
    mask = blob(96, 96, (30, 30, 20))
    shown = Overlay(("a",), (0,), (np.full((96, 96, 1), 90, np.uint8),), (mask,))
    names = [f"network {number}" for number in range(6)]
    with styled():
        axes = overlays(shown, {name: [mask] for name in names}, {(name, "a"): 1.0 for name in names}).axes[0]
    left, right, _, _ = axes.images[0].get_extent()
    assert {line.get_linewidth() for line in axes.patches} == {LINE}
    assert 72 * (right - left) / 96 > LINE


def test_an_outline_lies_where_its_object_is_shown() -> None:
    mask = blob(20, 40, (10, 30, 5))
    shown = Overlay(("a",), (0,), (np.full((20, 40, 1), 90, np.uint8),), (mask,))
    with styled():
        axes = overlays(shown, {"U-Net": [mask]}, {("U-Net", "a"): 1.0}).axes[0]
    left, right, bottom, top = axes.images[1].get_extent()
    line = axes.patches[0].get_path().vertices
    assert line.min(axis=0) == pytest.approx((left + (right - left) * 30 / 40, top + (bottom - top) * 10 / 20))
    assert line.max(axis=0) == pytest.approx((left + (right - left) * 35 / 40, top + (bottom - top) * 15 / 20))


@pytest.mark.parametrize("count", [1, 6, 12])
def test_no_words_lie_over_others_or_beyond_the_figure(count: int) -> None:
    mask = blob(96, 96, (30, 30, 20))
    shown = Overlay(("a", "b", "c"), (0,) * 3, (np.full((96, 96, 1), 90, np.uint8),) * 3, (mask,) * 3)
    names = [f"a-network-with-a-name {number}" for number in range(count)]
    with styled():
        figure = overlays(shown, {n: [mask] * 3 for n in names}, {(n, c): 1.0 for n in names for c in "abc"})
        figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    width, height = figure.get_size_inches() * figure.dpi
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)


def test_only_of_a_large_image_with_objects_a_part_is_shown() -> None:
    for mask, is_cut in ((blob(96, 96, (3, 4, 5)), False), (blob(512, 300), False), (blob(512, 300, (3, 4, 5)), True)):
        image = np.zeros((*mask.shape, 1), np.uint8)
        assert cut(Overlay(("a", "b"), (0, 0), (image, image), (np.zeros_like(mask), mask))) == is_cut


def blob(height: int, width: int, *boxes: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for top, left, side in boxes:
        mask[top : top + side, left : left + side] = 1
    return mask


def test_a_small_image_and_one_without_objects_are_shown_whole() -> None:
    for mask in (blob(WHOLE, WHOLE, (3, 4, 5)), blob(512, 300)):
        assert mask[part(mask)].shape == mask.shape


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 90))
def test_of_a_large_image_the_neighbourhood_of_its_objects_is_shown(top: int, left: int, side: int) -> None:
    mask = blob(500, 600, (top, left, side))
    shown = mask[part(mask)]
    assert shown.sum() == mask.sum()
    assert max(shown.shape) <= max(64, 1.4 * side + 2)


def test_where_outlines_are_dense_the_square_with_most_of_them_is_shown() -> None:
    mask = blob(512, 512, *((row, column, 3) for row in range(1, 500, 9) for column in range(1, 500, 9)))
    mask[200:328, 100:228] = np.indices((128, 128)).sum(axis=0) % 2
    assert part(mask) == (slice(200, 328), slice(100, 228))


def test_a_long_object_in_a_flat_image_is_shown_by_all_rows() -> None:
    mask = np.zeros((40, 400), np.uint8)
    mask[10:12, 50:350] = 1
    assert mask[part(mask)].shape == (40, 391)


def test_image_and_outlines_are_cut_alike_and_no_outline_runs_along_the_cut() -> None:
    mask = blob(512, 512, (300, 200, 40))
    place = part(mask)
    assert mask[place].shape == (64, 64)
    truth, found = (
        outlines(m, np.array([1]), place).vertices for m in (mask, blob(512, 512, (300, 200, 40), (311, 150, 45)))
    )
    assert (truth.min(), truth.max()) == (11.5, 51.5)
    # The second object goes on beyond the left of the cut, and below it: what runs there is outside of the picture.
    inside = found[(found > -0.5).all(axis=1) & (found < 63.5).all(axis=1)]
    assert set(inside[inside[:, 0] < 6, 1]) == {22.5}


@given(st.integers(1, 40))
def test_many_networks_stand_in_several_figures_each_once_and_about_as_many_in_each(count: int) -> None:
    found = {str(number): number for number in range(count)}
    parts = list(in_parts(found))
    assert {name: number for part in parts for name, number in part.items()} == found
    sizes = [len(part) for part in parts]
    assert sum(sizes) == count
    assert max(sizes) < MOST
    assert len(sizes) == -(-count // (MOST - 1))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.report.figures.overlays import LINE, WHOLE, cut, overlays, part
from nestbench.report.figures.style import styled
from nestbench.report.gather import Overlay


@pytest.mark.parametrize("channels", [1, 3])
def test_every_case_has_the_image_and_each_member_with_its_score(channels: int) -> None:
    mask = np.zeros((3, 16, 16), np.uint8)
    mask[:, 4:9, 4:9], mask[:, 11:14, 2:6] = 1, 2
    shown = Overlay(("a", "b", "c"), (0, 0, 0), (np.full((16, 16, channels), 90, np.uint8),) * 3, tuple(mask))
    iou = {(name, case): 0.5 for name in ("U-Net", "UNet++") for case in "abc"}
    with styled():
        figure = overlays(shown, {"U-Net": list(mask), "UNet++": list(np.zeros_like(mask))}, iou)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [one.get_title() for one in axes[0]] == ["image", "U-Net", "UNet++"]
    assert [one.get_ylabel() for one in axes[:, 0]] == ["best", "median", "worst"]
    assert {one.get_xlabel() for one in axes[:, 1:].ravel()} == {"50.0"}
    # Two classes of truth and two of prediction; a prediction of nothing leaves the truth alone.
    assert [len(one.collections) for one in axes[0]] == [0, 4, 2]


def test_a_contour_is_thinner_than_a_pixel_of_96_beside_many_members() -> None:
    mask = blob(96, 96, (30, 30, 20))
    shown = Overlay(("a",), (0,), (np.full((96, 96, 1), 90, np.uint8),), (mask,))
    names = [f"network {number}" for number in range(6)]
    with styled():
        figure = overlays(shown, {name: [mask] for name in names}, {(name, "a"): 1.0 for name in names})
        figure.draw_without_rendering()
    truth, found = figure.axes[1].collections
    pixel = figure.axes[1].get_window_extent().width / figure.dpi * 72 / 96
    assert found.get_linewidth() == [LINE]
    assert pixel > LINE
    # The truth is an area that lets the image through, the prediction a line of another colour.
    assert 0 < truth.get_facecolor()[0, 3] < 1
    assert tuple(truth.get_facecolor()[0, :3]) != tuple(found.get_edgecolor()[0, :3])


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
    found = blob(512, 512, (300, 200, 40), (311, 150, 45))
    shown = Overlay(("a",), (0,), (np.full((512, 512, 1), 90, np.uint8),), (mask,))
    with styled():
        figure = overlays(shown, {"U-Net": [found]}, {("U-Net", "a"): 1.0})
    image, compared = figure.axes
    assert image.images[0].get_array().shape == (64, 64)
    assert compared.get_xlim() == image.get_xlim() == (-0.5, 63.5)
    truth, predicted = (np.concatenate([path.vertices for path in lines.get_paths()]) for lines in compared.collections)
    assert (truth.min(), truth.max()) == (11.5, 51.5)
    # The second object goes on beyond the left of the cut, and below it.
    assert set(predicted[predicted[:, 0] < 6, 1]) == {22.5}

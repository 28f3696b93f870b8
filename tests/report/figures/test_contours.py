import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nestbench.report.figures.board import outlines
from nestbench.report.figures.contours import contours, told
from nestbench.report.pictures import Overlay

WHOLE = (slice(0, 12), slice(0, 12))


def labels(*boxes):
    picture = np.zeros((12, 12), np.int32)
    for number, (top, left, bottom, right) in boxes:
        picture[top:bottom, left:right] = number
    return picture


def test_objects_are_found_missed_or_false():
    truth = labels((3, (0, 0, 4, 4)), (7, (6, 6, 10, 10)))
    answer = labels((2, (0, 0, 4, 3)), (5, (6, 0, 9, 3)))
    kinds = told(truth, answer)
    assert [numbers.tolist() for numbers in kinds] == [[2], [7], [5]]


def test_pictures_without_objects_have_none_of_them():
    nothing = labels()
    assert [len(numbers) for numbers in told(nothing, nothing)] == [0, 0, 0]
    assert told(labels((1, (0, 0, 2, 2))), nothing).missed.tolist() == [1]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 6), st.integers(0, 6))
def test_a_contour_runs_half_a_pixel_around_its_object_at_the_border_too(height, width, top, left):
    line = outlines(labels((4, (top, left, top + height, left + width))), np.array([4]), WHOLE)
    assert line.vertices.min(axis=0).tolist() == [left - 0.5, top - 0.5]
    assert line.vertices.max(axis=0).tolist() == [left + width - 0.5, top + height - 0.5]


def test_in_a_part_of_a_picture_contours_lie_where_the_part_begins():
    line = outlines(labels((4, (5, 6, 7, 9))), np.array([4]), (slice(4, 12), slice(3, 12)))
    assert line.vertices.min(axis=0).tolist() == [2.5, 0.5]


def test_objects_that_touch_have_contours_of_their_own():
    picture = labels((1, (2, 2, 6, 5)), (2, (2, 5, 6, 8)))
    both = outlines(picture, np.array([1, 2]), WHOLE).vertices
    alone = np.concatenate([outlines(picture, np.array([number]), WHOLE).vertices for number in (1, 2)])
    assert sorted(map(tuple, both)) == sorted(map(tuple, alone))


def test_a_number_that_is_not_in_the_part_has_no_contour():
    assert len(outlines(labels((4, (0, 0, 2, 2))), np.array([4, 9]), (slice(6, 12), slice(6, 12))).vertices) == 0


def test_a_figure_shows_the_image_and_each_network_and_says_what_was_missed():
    truth, image = labels((1, (2, 2, 6, 6))), np.full((12, 12, 1), 90, np.uint8)
    overlay = Overlay(("a", "b", "c"), (0, 0, 0), (image,) * 3, (truth,) * 3)
    answers = {"one": [truth, labels(), labels((1, (8, 8, 11, 11)))], "two": [truth] * 3}
    axes = contours(overlay, answers, {(name, case): 0.5 for name in answers for case in "abc"}).axes[0]
    assert len(axes.images) == 9
    said = [text.get_text() for text in axes.texts if "missed" in text.get_text()]
    assert said[::2] == ["50.0\n0 missed, 0 false", "50.0\n1 missed, 0 false", "50.0\n1 missed, 1 false"]

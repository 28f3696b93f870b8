import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nestbench.windows import MOST_OVERLAP, windows

SPACES = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)
LENGTHS = st.integers(1, 10)
OVERLAPS = st.floats(0, MOST_OVERLAP)


@given(SPACES, LENGTHS, OVERLAPS)
def test_weights_sum_to_one_at_every_pixel(space, window, overlap):
    total = torch.zeros(space)
    for place, weights in windows(space, (window,) * len(space), overlap):
        assert (weights > 0).all()
        total[place] += weights
    torch.testing.assert_close(total, torch.ones_like(total))


@given(SPACES, LENGTHS, OVERLAPS)
def test_no_window_is_longer_than_asked_and_none_leaves_the_image(space, window, overlap):
    for place, weights in windows(space, (window,) * len(space), overlap):
        assert tuple(weights.shape) == tuple(min(side, window) for side in space)
        assert all(0 <= p.start < p.stop <= side for p, side in zip(place, space, strict=True))


@given(st.integers(1, 60), LENGTHS, OVERLAPS)
def test_neighbours_share_at_least_the_overlap(side, window, overlap):
    places = [place[0] for place, _ in windows((side,), (window,), overlap)]
    for before, after in itertools.pairwise(places):
        assert after.start > before.start
        assert before.stop - after.start >= min(overlap * window, window - 1) - 1e-9


def test_an_image_that_fits_is_one_window_of_weight_one():
    ((place, weights),) = windows((7, 9), (9, 9))
    assert place == (slice(0, 7), slice(0, 9))
    assert torch.equal(weights, torch.ones(7, 9))


def test_weights_change_little_from_pixel_to_pixel():
    """A seam would be a jump: a window's weight starts near 0 wherever another covers the pixel."""
    for place, weights in windows((200,), (64,), 0.5):
        padded = torch.cat([torch.zeros(1), weights, torch.zeros(1)])
        if place[0].start > 0 and place[0].stop < 200:
            assert padded.diff().abs().max() < 0.1


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_windows_are_as_many_as_needed(overlap):
    assert len(list(windows((100,), (40,), overlap))) == {0.25: 3, 0.5: 4}[overlap]

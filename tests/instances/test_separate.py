from dataclasses import replace

import numpy as np
import pytest
from drawn_objects import disc
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from nestbench.instances import separate
from nestbench.instances.count import score
from nestbench.instances.separate import METHODS, Separation, candidates, choose, segment

TOUCHING = np.zeros((30, 50))
_ROWS, _COLUMNS = np.mgrid[:30, :50]
for _centre in (14, 33):
    TOUCHING[(_ROWS - 15) ** 2 + (_COLUMNS - _centre) ** 2 <= 100] = 0.8
TRUTH = np.where(TOUCHING > 0, np.where(_COLUMNS < 24, 1, 2), 0).astype(np.int32)


def test_cells_that_touch_are_one_component_and_two_hills():
    assert len(segment(TOUCHING, Separation("components"))) == 1
    parted = segment(TOUCHING, Separation("watershed"))
    assert len(parted) == 2
    assert score(TRUTH, parted) > 0.9


@given(st.integers(0, 100_000))
def test_components_are_those_of_scipy(seed):
    probability = np.random.default_rng(seed).random((20, 24))
    _, count = ndimage.label(probability >= 0.6, np.ones((3, 3)))
    assert len(segment(probability, Separation("components", threshold=0.6))) == count


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 100_000))
def test_objects_share_out_the_foreground_and_lose_no_pixel(method, seed):
    rng = np.random.default_rng(seed)
    foreground = np.any([disc(rng, 32) for _ in range(rng.integers(1, 9))], axis=0)
    probability = np.where(foreground, 0.5 + rng.random((32, 32)) / 2, 0.1)
    found = segment(probability, Separation(method))
    assert np.array_equal(found.masks.sum(axis=0), foreground)
    assert all(ndimage.label(mask, np.ones((3, 3)))[1] == 1 for mask in found.masks)
    means = [probability[mask].mean() for mask in found.masks]
    assert found.scores == pytest.approx(np.array(means), rel=1e-5)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_and_everything_are_no_object_and_one(method):
    assert len(segment(np.zeros((16, 16)), Separation(method))) == 0
    assert len(segment(np.ones((16, 16)), Separation(method))) == 1


@pytest.mark.parametrize("method", METHODS)
def test_an_object_of_one_pixel_in_the_corner_is_found_unless_it_is_too_small(method):
    probability = TOUCHING.copy()
    probability[0, 0] = 0.9
    how = Separation(method)
    assert segment(probability, how).areas[0] == 1
    assert segment(probability, replace(how, smallest=2)).areas.min() > 1


@pytest.mark.parametrize("method", METHODS)
def test_fifteen_hundred_objects_are_told_apart(method):
    probability = np.zeros((300, 400))
    truth = np.zeros((300, 400), np.int32)
    for number in range(1500):
        y, x = 10 * (number // 50 % 30) + 1, 8 * (number % 50) + 1
        truth[y : y + 6, x : x + 5] = number + 1
    probability[truth > 0] = 0.9
    assert score(truth, segment(probability, Separation(method))) == 1


def test_the_separation_that_scores_best_on_the_cases_is_chosen():
    assert choose([(TOUCHING, TRUTH)], [Separation("components"), Separation("watershed")]).method == "watershed"
    faint = np.where(TOUCHING > 0, 0.45, 0.35)
    assert choose([(faint, (TOUCHING > 0).astype(np.int32))], [Separation(threshold=t) for t in (0.3, 0.4, 0.5)]) == (
        Separation(threshold=0.4)
    )


def test_of_equals_the_first_is_chosen():
    every = candidates("components")
    assert choose([(np.zeros((8, 8)), np.zeros((8, 8), np.int32))], every) == every[0]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_chosen_from_is_segmented_as_each_would_be_alone(method):
    rng = np.random.default_rng(3)
    probability = ndimage.gaussian_filter(rng.random((40, 40)), 2)
    probability = (probability - probability.min()) / np.ptp(probability)
    every = candidates(method)
    assert (
        len(set(every))
        == len(every)
        == len(separate.THRESHOLDS)
        * len(separate.SMALLEST)
        * (len(separate.SMOOTH) * len(separate.APART) if method == "watershed" else 1)
    )
    for how, found in zip(every, separate._segmented(probability, every), strict=True):
        assert np.array_equal(found.labels, segment(probability, how).labels)

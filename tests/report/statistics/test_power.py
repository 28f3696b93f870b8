import numpy as np
import pytest
from fake_scores import scores
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from nestbench.report.statistics.comparisons import compare_members
from nestbench.report.statistics.crossed import contrast
from nestbench.report.statistics.power import STUDIES, Variation, least, power, variation

FOUND = Variation(seed=0.3**2, subject=0.5**2, rest=1.0)


def test_power_is_the_share_of_studies_that_the_test_finds() -> None:
    draw = np.random.default_rng(5)
    shape = (STUDIES, 4, 30)
    crossed = draw.normal(0, 0.3, (*shape[:2], 1)) + draw.normal(0, 0.5, (STUDIES, 1, 30))
    found = contrast(0.8 + crossed + draw.normal(0, 1, shape))
    # Three standard errors of a difference of two shares of 2000.
    assert power(FOUND, 4, 30, 0.8, 1) == pytest.approx(np.mean(found.low > 0), abs=0.045)


def test_where_only_seeds_vary_power_is_that_of_the_t_test() -> None:
    alone = Variation(seed=1.0, subject=0.0, rest=1e-9)
    expected = TTestPower().power(1.2, 6, 0.05)
    assert power(alone, 6, 50, 1.2, 1) == pytest.approx(expected, abs=0.04)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(5, 50), st.floats(0.2, 1.5))
def test_more_of_anything_but_comparisons_gives_more_power(seeds: int, subjects: int, difference: float) -> None:
    here, noise = power(FOUND, seeds, subjects, difference, 3), 0.045
    assert power(FOUND, 2 * seeds, subjects, difference, 3) >= here - noise
    assert power(FOUND, seeds, 2 * subjects, difference, 3) >= here - noise
    assert power(FOUND, seeds, subjects, 2 * difference, 3) >= here
    assert power(FOUND, seeds, subjects, difference, 30) <= here


def test_no_difference_is_seldom_seen() -> None:
    assert power(FOUND, 4, 30, 0.0, 1) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / STUDIES)


def test_variances_are_those_that_scores_were_made_with() -> None:
    noise = 0.01
    found = variation(compare_members(scores(dict.fromkeys("abcdef", 0.0), seeds=30, subjects=60, noise=noise)))
    assert found.rest == pytest.approx(2 * noise**2, rel=0.05)
    assert found.seed == pytest.approx(2 * (noise / 5) ** 2, rel=0.4)
    assert found.subject == pytest.approx(0.0, abs=0.01 * noise**2)


def test_without_a_second_seed_there_is_no_variance() -> None:
    assert np.isnan(variation(compare_members(scores({"a": 0.0, "b": 0.0}, seeds=1)))).any()


@given(st.integers(1, 100), st.integers(1, 100))
def test_the_least_is_the_first_that_is_enough(first: int, threshold: int) -> None:
    assert least(lambda count: count >= threshold, first, 100) == max(first, threshold)


def test_where_the_most_is_too_few_there_is_no_least() -> None:
    assert least(lambda count: False, 1, 100) is None

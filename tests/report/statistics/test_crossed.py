import numpy as np
import pandas as pd
import pytest
from fake_scores import simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import DescrStatsW

from nestbench.report.statistics.crossed import contrast, interval, judge, lowest, moments, p_above, p_within, stacked

Tables = arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 9)), elements=st.floats(-1, 1, width=32))


def mean_squares(table: np.ndarray) -> tuple[float, float, float]:
    found = moments(table)
    return float(found.seed), float(found.subject), float(found.rest)


def test_mean_squares_are_those_of_a_two_way_analysis_of_variance() -> None:
    table = simulated(1, 3, 7, 0.5, 0.5)[0]
    long = pd.DataFrame([(s, c, table[s, c]) for s in range(3) for c in range(7)], columns=["seed", "subject", "d"])
    expected = anova_lm(ols("d ~ C(seed) + C(subject)", long).fit())["mean_sq"].to_numpy()
    np.testing.assert_allclose(mean_squares(table), expected)


def test_the_statistic_of_a_table_worked_by_hand() -> None:
    # Mean 4; seed means 3, 5; subject means 2, 4, 6; rest (1, 0, -1) and (-1, 0, 1).
    table = np.array([[2.0, 3.0, 4.0], [2.0, 5.0, 8.0]])
    assert mean_squares(table) == (6.0, 8.0, 2.0)
    found = contrast(table)
    assert found.difference == 4
    assert found.t == pytest.approx(4 / np.sqrt((6 + 8 - 2) / 6))
    few, many = stats.t.isf(0.025, 1), stats.t.isf(0.025, 2)
    assert found.high == pytest.approx(4 + np.sqrt(2) * (few + many) / 2)


def test_with_no_variance_between_seeds_the_variance_is_at_least_that_of_the_subjects() -> None:
    subjects = np.array([0.1, 0.5, 0.3, 0.2, 0.8])
    found = contrast(np.vstack([subjects, subjects, subjects]))
    assert found.t == pytest.approx(float(stats.ttest_1samp(subjects, 0).statistic))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("by_seed", "by_subject"), [(0.0, 0.0), (0.1, 0.3), (0.3, 0.0), (0.3, 1.0), (1.0, 1.0)])
def test_members_that_do_not_differ_are_rarely_called_different(seeds: int, by_seed: float, by_subject: float) -> None:
    p = contrast(simulated(800, seeds, 40, by_seed, by_subject)).p
    # Three binomial standard deviations of 800 draws lie above 5 % and 0.5 %.
    assert np.mean(p < 0.05) <= 0.073
    assert np.mean(p < 0.005) <= 0.0125


def test_ignoring_the_seeds_would_call_equal_members_different() -> None:
    tables = simulated(200, 3, 40, 0.3, 0.3)
    naive = stats.ttest_1samp(tables.mean(axis=1), 0, axis=1).pvalue
    assert np.mean(naive < 0.05) > 0.15


def test_the_interval_covers_the_truth() -> None:
    found = contrast(simulated(600, 4, 30, 0.3, 0.3) + 0.7)
    assert np.mean((found.low <= 0.7) & (found.high >= 0.7)) >= 0.93


def test_a_planted_difference_is_found() -> None:
    assert np.mean(contrast(simulated(100, 5, 40, 0.1, 0.3) + 1.0).p < 0.05) > 0.95


@settings(deadline=None)
@given(Tables)
def test_the_interval_leaves_zero_out_exactly_where_p_is_small(table: np.ndarray) -> None:
    found = contrast(table)
    if abs(found.p - 0.05) > 1e-6:
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


@settings(deadline=None)
@given(Tables)
def test_turning_the_comparison_round_turns_the_interval_round(table: np.ndarray) -> None:
    one, other = contrast(table), contrast(-table)
    np.testing.assert_allclose((one.difference, one.low, one.high), (-other.difference, -other.high, -other.low))
    np.testing.assert_allclose(one.p, other.p)


@settings(deadline=None)
@given(Tables)
def test_seeds_and_subjects_are_treated_alike(table: np.ndarray) -> None:
    if table.shape[0] != table.shape[1]:
        np.testing.assert_allclose(contrast(table), contrast(table.T), rtol=1e-6, atol=1e-9)


subjects_alone = arrays(float, st.integers(3, 20), elements=st.floats(-1, 1, width=16), unique=True)


@settings(deadline=None)
@given(subjects_alone, st.floats(0.01, 1))
def test_where_seeds_do_not_vary_equivalence_is_the_t_tests_of_statsmodels(one: np.ndarray, margin: float) -> None:
    expected = DescrStatsW(one).ttost_mean(-margin, margin)[0]
    assert float(p_within(moments(np.vstack([one] * 3)), margin)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(deadline=None)
@given(subjects_alone, st.floats(-1, 1))
def test_where_seeds_do_not_vary_a_bound_is_tested_as_scipy_does(one: np.ndarray, bound: float) -> None:
    expected = stats.ttest_1samp(one, bound, alternative="greater").pvalue
    assert float(p_above(moments(np.vstack([one] * 3)), bound)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_students_sleep_data_give_students_answer() -> None:
    # Student, Biometrika 6, 1908: hours of sleep gained by ten patients with two drugs; t is 4.0621, p .00283.
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = contrast(np.vstack([second - first] * 2))
    assert float(found.t) == pytest.approx(4.0621, abs=5e-5)
    assert float(found.p) == pytest.approx(0.002833, abs=5e-7)
    assert (float(found.low), float(found.high)) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


@settings(deadline=None)
@given(Tables, st.floats(0.001, 2))
def test_a_mean_is_within_the_margin_exactly_where_the_90_percent_interval_is(table: np.ndarray, margin: float) -> None:
    found = moments(table)
    p, (low, high) = float(p_within(found, margin)), interval(found, 0.1)
    if abs(p - 0.05) > 1e-6:
        assert (p < 0.05) == bool(-margin < low and high < margin)


@settings(deadline=None)
@given(Tables, st.floats(-1, 1))
def test_a_mean_lies_above_a_bound_exactly_where_its_lower_bound_does(table: np.ndarray, bound: float) -> None:
    found = moments(table)
    p = float(p_above(found, bound))
    if abs(p - 0.05) > 1e-6:
        assert (p < 0.05) == bool(lowest(found) > bound)


def test_a_difference_at_the_margin_is_rarely_called_smaller() -> None:
    found = moments(simulated(800, 3, 40, 0.3, 0.3) + 0.5)
    assert np.mean(p_within(found, 0.5) < 0.05) <= 0.073


@settings(deadline=None)
@given(st.lists(Tables, min_size=1, max_size=4))
def test_tables_judged_together_are_judged_as_alone(tables: list[np.ndarray]) -> None:
    together = judge(stacked([moments(table) for table in tables]))
    alone = [contrast(table) for table in tables]
    for name in together._fields:
        np.testing.assert_allclose(getattr(together, name), [getattr(one, name) for one in alone])


def test_what_never_varies_is_certain() -> None:
    same, other = contrast(np.zeros((3, 4))), contrast(np.full((3, 4), 0.5))
    assert (float(same.p), float(other.p), float(other.t)) == (1.0, 0.0, np.inf)
    assert float(p_within(moments(np.zeros((3, 4))), 0.1)) == 0.0
    assert float(p_within(moments(np.full((3, 4), 0.5)), 0.1)) == 1.0


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_with_one_seed_or_one_subject_there_is_a_mean_and_no_test(shape: tuple[int, int]) -> None:
    found = moments(np.full(shape, 0.5))
    assert float(found.mean) == 0.5
    for p in (judge(found).p, p_within(found, 1.0), p_above(found, 0.0), judge(found).low):
        assert np.isnan(p)

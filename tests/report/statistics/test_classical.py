from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nestbench.report.statistics.classical import holm, papers_test, wilcoxon


def test_holms_method_on_a_worked_example() -> None:
    # p.adjust of R on the four values by which the method is usually shown: the second and third share a value.
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("count", [1, 2, 8])
def test_holms_method_is_that_of_statsmodels(count: int) -> None:
    p = np.random.default_rng(count).beta(0.3, 1, count).round(2)  # some are alike
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(holm(p), expected)
    np.testing.assert_allclose(holm(np.stack([p, p[::-1]])), np.stack([expected, expected[::-1]]))


def test_tests_that_could_not_be_made_are_not_counted_by_holms_method() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])


@pytest.mark.parametrize("test", [papers_test, lambda *both: stats.ttest_ind(*both).pvalue], ids=["ours", "scipy's"])
def test_the_papers_test_is_students_with_pooled_variance(test: Callable[..., float]) -> None:
    # Student's sleep data (1908) taken as two independent samples, as R's t.test(var.equal = TRUE) does.
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    assert test(first, second) == pytest.approx(0.07919, abs=5e-6)


def test_the_papers_test_has_no_answer_where_seeds_do_not_vary() -> None:
    assert np.isnan(papers_test(np.array([0.8, 0.8]), np.array([0.8, 0.8])))


def test_wilcoxons_test_on_darwins_maize() -> None:
    # Darwin's fifteen pairs of maize plants (1876) in eighths of an inch; Wilcoxon's exact p is 1352 / 2^15.
    heights = np.array([6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
    assert wilcoxon(heights) == pytest.approx(1352 / 2**15)


def test_wilcoxons_test_finds_nothing_where_nothing_differs_and_has_no_answer_for_one_subject() -> None:
    assert wilcoxon(np.zeros(5)) == 1.0
    assert np.isnan(wilcoxon(np.ones(1)))

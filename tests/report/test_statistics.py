import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from nestbench.report.statistics import (
    bootstrap,
    compare_depths,
    compare_members,
    contrast,
    grid,
    mean_squares,
    papers_test,
    verdict,
)

Tables = arrays(float, st.tuples(st.integers(2, 6), st.integers(2, 9)), elements=st.floats(-1, 1, width=32))


def simulated(rounds: int, seeds: int, subjects: int, by_seed: float, by_subject: float) -> np.ndarray:
    """Differences (rounds, seeds, subjects) around zero; the rest has the standard deviation 1."""
    draw = np.random.default_rng(7)
    return (
        draw.normal(0, by_seed, (rounds, seeds, 1))
        + draw.normal(0, by_subject, (rounds, 1, subjects))
        + draw.normal(0, 1, (rounds, seeds, subjects))
    )


def scores(gains: dict[str, float], seeds: int = 4, subjects: int = 30, dataset: str = "d") -> pd.DataFrame:
    """Case scores of members that differ by their gains and by a little noise."""
    draw = np.random.default_rng(3)
    case = draw.normal(0.8, 0.05, subjects)
    tables = []
    for model, gain in gains.items():
        for seed in range(seeds):
            iou = case + gain + draw.normal(0, 0.002) + draw.normal(0, 0.01, subjects)
            names = [f"s{i}" for i in range(subjects)]
            tables.append(pd.DataFrame({"model": model, "seed": seed, "case": names, "subject": names, "iou": iou}))
    return pd.concat(tables, ignore_index=True).assign(dataset=dataset, encoder="e")


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
    p = np.array([contrast(table).p for table in simulated(800, seeds, 40, by_seed, by_subject)])
    # Three binomial standard deviations of 800 draws lie above 5 % and 0.5 %.
    assert np.mean(p < 0.05) <= 0.073
    assert np.mean(p < 0.005) <= 0.0125


def test_ignoring_the_seeds_would_call_equal_members_different() -> None:
    tables = simulated(200, 3, 40, 0.3, 0.3)
    naive = stats.ttest_1samp(tables.mean(axis=1), 0, axis=1).pvalue
    assert np.mean(naive < 0.05) > 0.15


def test_the_interval_covers_the_truth() -> None:
    found = [contrast(table + 0.7) for table in simulated(600, 4, 30, 0.3, 0.3)]
    assert np.mean([one.low <= 0.7 <= one.high for one in found]) >= 0.93


def test_a_planted_difference_is_found() -> None:
    p = [contrast(table + 1.0).p for table in simulated(100, 5, 40, 0.1, 0.3)]
    assert np.mean(np.array(p) < 0.05) > 0.95


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
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)


@settings(deadline=None)
@given(Tables)
def test_seeds_and_subjects_are_treated_alike(table: np.ndarray) -> None:
    if table.shape[0] != table.shape[1]:
        assert contrast(table) == pytest.approx(contrast(table.T), rel=1e-6, abs=1e-9)


def test_one_seed_gives_a_difference_but_no_verdict() -> None:
    pairs = compare_members(scores({"a": 0.0, "b": 0.5}, seeds=1))
    assert pairs["difference"].iloc[0] == pytest.approx(0.5, abs=0.02)
    assert pairs[["low", "high", "p", "p_holm", "p_paper"]].isna().all(axis=None)
    assert pairs["verdict"].iloc[0] == "not separable"
    assert "fewer than two seeds" in pairs["reason"].iloc[0]


def test_a_member_is_not_separable_from_its_own_copy() -> None:
    one = scores({"a": 0.0})
    pairs = compare_members(pd.concat([one, one.assign(model="copy")]))
    assert (pairs["p"].iloc[0], pairs["verdict"].iloc[0]) == (1.0, "not separable")


def test_the_verdict_names_the_direction() -> None:
    pairs = compare_members(scores({"a": 0.0, "b": 0.05}))
    assert verdict(pairs, "d", "e", "b", "a") == "better"
    assert verdict(pairs, "d", "e", "a", "b") == "worse"


def test_holms_correction_runs_over_the_comparisons_of_one_data_set_only() -> None:
    gains = {"a": 0.0, "b": 0.01, "c": 0.02}
    one, other = scores(gains), scores(gains | {"d": 0.03}, dataset="other")
    pairs = compare_members(pd.concat([one, other]))
    for dataset, count in (("d", 3), ("other", 6)):
        own = pairs[pairs["dataset"] == dataset]
        assert len(own) == count
        ranked = own.sort_values("p")
        by_hand = np.maximum.accumulate(ranked["p"].to_numpy() * np.arange(count, 0, -1)).clip(max=1)
        np.testing.assert_allclose(ranked["p_holm"], by_hand)
        np.testing.assert_allclose(own["p_holm"], multipletests(own["p"], method="holm")[1])


def test_a_subject_counts_once_however_many_cases_it_has() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    twice = pd.concat([table, table[table["subject"] == "s0"].assign(case="again")])
    pd.testing.assert_frame_equal(compare_members(table), compare_members(twice))


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    shuffled = table.groupby("model", group_keys=False)[table.columns.tolist()].sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compare_members(table), compare_members(shuffled))


def test_members_are_compared_on_the_seeds_that_both_have() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    pairs = compare_members(table[(table["model"] != "b") | (table["seed"] != 2)])
    assert pairs["seeds"].iloc[0] == 3


def test_the_papers_test_is_the_independent_t_test() -> None:
    first, second = np.array([0.81, 0.83, 0.82]), np.array([0.84, 0.83, 0.86])
    assert papers_test(first, second) == pytest.approx(stats.ttest_ind(first, second).pvalue)


def test_the_papers_test_has_no_answer_where_seeds_do_not_vary() -> None:
    assert np.isnan(papers_test(np.array([0.8, 0.8]), np.array([0.8, 0.8])))


def test_heads_are_compared_with_the_ensemble_of_their_own_member() -> None:
    ensemble = scores({"a": 0.03, "b": 0.03}).assign(output="ensemble")
    head = scores({"a": 0.0, "b": 0.0}).assign(output="L1")
    single = scores({"c": 0.0}).assign(output="L4")
    found = compare_depths(pd.concat([ensemble, head, single]))
    assert found[["model", "output", "verdict"]].to_numpy().tolist() == [["a", "L1", "worse"], ["b", "L1", "worse"]]


def test_the_grid_of_a_member_is_seeds_by_subjects() -> None:
    assert grid(scores({"a": 0.0}, seeds=3, subjects=5)).shape == (3, 5)


def test_the_bootstrap_agrees_with_the_normal_interval_where_only_subjects_vary() -> None:
    subjects = np.random.default_rng(1).normal(0.8, 0.05, 100)
    low, high = bootstrap(np.vstack([subjects] * 3))
    reach = 1.96 * subjects.std() / 10
    assert (low, high) == pytest.approx((subjects.mean() - reach, subjects.mean() + reach), abs=0.1 * reach)


def test_the_bootstrap_is_wider_where_seeds_vary_too() -> None:
    subjects = np.random.default_rng(1).normal(0.8, 0.05, 100)
    narrow, wide = (bootstrap(subjects + spread * np.array([[-1.0], [0.0], [1.0]])) for spread in (0, 0.03))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])

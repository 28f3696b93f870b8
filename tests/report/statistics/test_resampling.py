import numpy as np
import pandas as pd
import pytest
from fake_scores import scores
from scipy import stats

from nestbench.report.statistics.resampling import bootstrap, first_rank


def test_the_bootstrap_agrees_with_the_normal_interval_where_only_subjects_vary() -> None:
    subjects = np.random.default_rng(1).normal(0.8, 0.05, 100)
    low, high = bootstrap(np.vstack([subjects] * 3))
    reach = 1.96 * subjects.std() / 10
    np.testing.assert_allclose((low, high), (subjects.mean() - reach, subjects.mean() + reach), atol=0.1 * reach)


def test_the_bootstrap_is_wider_where_seeds_vary_too() -> None:
    subjects = np.random.default_rng(1).normal(0.8, 0.05, 100)
    narrow, wide = (bootstrap(subjects + spread * np.array([[-1.0], [0.0], [1.0]])) for spread in (0, 0.03))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_the_bootstrap_agrees_with_scipys_where_only_subjects_vary() -> None:
    subjects = np.random.default_rng(2).gamma(2, 0.1, 40)
    reach = stats.t.isf(0.025, 39) * np.sqrt(40 / 39)
    level = 1 - 2 * stats.norm.sf(reach)
    drawn = stats.bootstrap((subjects,), np.mean, method="percentile", n_resamples=4000, rng=1, confidence_level=level)
    theirs = drawn.confidence_interval
    np.testing.assert_allclose(bootstrap(np.vstack([subjects] * 2), 4000), (theirs.low, theirs.high), atol=0.005)


def test_tables_drawn_together_have_the_intervals_that_they_have_alone() -> None:
    tables = np.random.default_rng(3).normal(0, 1, (4, 3, 7))
    together = bootstrap(tables)
    np.testing.assert_allclose(together, np.stack([bootstrap(table) for table in tables], axis=-1))


@pytest.mark.parametrize("subjects", [10, 20, 40])
def test_the_bootstrap_covers_the_mean_of_few_subjects(subjects: int) -> None:
    low, high = bootstrap(np.random.default_rng(4).normal(0, 1, (600, 1, subjects)).repeat(2, axis=1))
    assert np.mean((low <= 0) & (high >= 0)) >= 0.92


def test_who_is_surely_first_is_first_in_every_draw() -> None:
    assert first_rank(scores({"a": 0.0, "b": 0.1, "c": 0.0}))["b"] == 1.0


def test_members_that_are_alike_share_the_first_rank() -> None:
    one = scores({"a": 0.0})
    shares = first_rank(pd.concat([one, one.assign(model="copy")]))
    assert shares == {"a": 0.5, "copy": 0.5}


def test_shares_of_the_first_rank_add_up_to_one() -> None:
    assert sum(first_rank(scores({"a": 0.0, "b": 0.001, "c": 0.0005})).values()) == pytest.approx(1.0)


def test_only_seeds_that_all_members_have_are_drawn() -> None:
    table = scores({"a": 0.0, "b": 0.1}, seeds=3)
    few = table[(table["model"] != "b") | (table["seed"] == 0)]
    assert all(np.isnan(share) for share in first_rank(few).values())

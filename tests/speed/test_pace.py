import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nestbench.speed.pace import paces, percentiles, ratios

TIMES = arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=st.floats(0.001, 1))


def test_percentiles_are_milliseconds():
    found = percentiles(np.arange(1, 102) / 1000)
    assert found == pytest.approx({5: 6, 50: 51, 95: 96, 99: 100})


@pytest.mark.parametrize(
    ("rounds", "known"), [(1, {50}), (19, {50}), (20, {5, 50, 95}), (99, {5, 50, 95}), (100, {5, 50, 95, 99})]
)
def test_a_percentile_beyond_which_no_round_lies_is_not_told(rounds, known):
    found = percentiles(np.ones(rounds))
    assert {p for p, value in found.items() if value is not None} == known


def test_pace_of_given_times():
    slow, fast = paces(np.array([[0.4, 0.1], [0.4, 0.1], [0.4, 0.1]]), images=8, reference=0)
    assert (slow.rounds, slow.median, slow.images_per_second) == pytest.approx((3, 400, 20))
    assert fast.images_per_second == pytest.approx(80)
    assert (fast.ratio.value, fast.ratio.low, fast.ratio.high) == pytest.approx((0.25, 0.25, 0.25))


@given(TIMES, st.data())
def test_the_reference_is_as_fast_as_itself(taken, data):
    reference = data.draw(st.integers(0, taken.shape[1] - 1))
    found = ratios(taken, reference)[reference]
    assert (found.value, found.low, found.high) == (1, 1, 1)


@given(TIMES, st.floats(0.1, 10))
def test_ratios_do_not_depend_on_the_unit_of_time(taken, unit):
    before, after = ratios(taken, 0), ratios(taken * unit, 0)
    for one, other in zip(before, after, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@given(st.floats(0.1, 10), arrays(np.float64, st.integers(1, 30), elements=st.floats(0.001, 1)))
def test_what_slows_all_passes_of_a_round_alike_leaves_the_interval_narrow(factor, moments):
    """The rounds are drawn, not single passes: what was measured together stays together."""
    found = ratios(np.stack([moments, factor * moments], axis=1), 0)[1]
    assert (found.value, found.low, found.high) == pytest.approx((factor, factor, factor))


@pytest.mark.parametrize("middle", [np.median, np.mean])
def test_the_interval_is_that_of_scipys_paired_bootstrap(middle):
    generator = np.random.default_rng(1)
    taken = generator.gamma(20, 0.001, (41, 2)) * [1, 0.3]
    found = ratios(taken, 0, middle)[1]
    assert found.value == pytest.approx(middle(taken[:, 1]) / middle(taken[:, 0]))
    theirs = stats.bootstrap(
        (taken[:, 1], taken[:, 0]),
        lambda own, other, axis: middle(own, axis=axis) / middle(other, axis=axis),
        paired=True,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert found.low < found.value < found.high
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)

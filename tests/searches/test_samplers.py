import warnings

import optuna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nestbench.searches.samplers import distributions, planned, stopper
from nestbench.study.schema import Search
from nestbench.study.space import holds

RATES = st.floats(1e-6, 1.0)


@st.composite
def searches(draw):
    """Searches by CMA-ES over one range at least."""
    low, high = sorted((draw(RATES), draw(RATES)))
    few, many = sorted((draw(st.integers(1, 50)), draw(st.integers(1, 50))))
    assume(low < high and few < many)
    space = {
        "learning_rate": {"low": low, "high": high, "log": draw(st.booleans())},
        "patience": {"low": few, "high": many, "log": draw(st.booleans())},
        "batch": [2, 4, 8],
        "augment": [True, False],
    }
    kept = draw(st.sets(st.sampled_from(sorted(space)), min_size=1))
    assume(kept & {"learning_rate", "patience"})
    return Search.model_validate({"trials": 1, "sampler": "cmaes", "space": {key: space[key] for key in kept}})


@given(searches(), st.lists(st.floats(0, 1), max_size=30), st.integers(0, 2**32 - 1))
def test_an_evolution_stays_in_the_space_and_is_a_function_of_what_it_was_told(search, values, seed):
    told = []
    for number, value in enumerate(values):
        told.append((planned(search, number, told, (seed + number) % 2**32), value))
    following = planned(search, len(told), told, seed)
    assert all(holds(search.space, tried) for tried, _ in told)
    assert holds(search.space, following)
    assert following == planned(search, len(told), list(told), seed)


def test_whole_numbers_reach_both_ends_of_their_range():
    space = {"patience": {"low": 1, "high": 3}}
    search = Search.model_validate({"trials": 1, "sampler": "cmaes", "space": space})
    drawn = [planned(search, 0, [], seed)["patience"] for seed in range(300)]
    assert set(drawn) == {1, 2, 3}
    assert all(type(one) is int for one in drawn)


def test_a_space_written_in_another_order_is_the_same_space():
    space = {"batch": [4, 8], "augment": [True, False]}
    there, back = (
        Search.model_validate({"trials": 4, "sampler": "grid", "space": dict(order)})
        for order in (space.items(), reversed(space.items()))
    )
    assert [planned(there, n, [], 0) for n in range(4)] == [planned(back, n, [], 0) for n in range(4)]
    assert list(distributions(there.space)) == list(distributions(back.space))


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_what_a_sampler_of_optunas_says_is_not_planned(sampler):
    search = Search.model_validate({"trials": 1, "sampler": sampler, "space": {"batch": [4, 8]}})
    assert planned(search, 0, [], 0) is None


def test_every_stopper_is_made_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kinds = [
            type(stopper(Search.model_validate({"trials": 1, "stopper": name, "space": {"batch": [4]}}), 9))
            for name in ("none", "median", "hyperband", "wilcoxon")
        ]
    pruners = optuna.pruners
    assert kinds == [pruners.NopPruner, pruners.MedianPruner, pruners.HyperbandPruner, pruners.WilcoxonPruner]

from itertools import product

import pytest

from nestbench.study.schema import WHOLE, Recipe, Search
from nestbench.study.space import axes, holds


def search(**changes):
    return Search.model_validate({"trials": 6, "space": {"batch": [4, 8, 16], "augment": [True, False]}} | changes)


def test_a_grid_has_every_choice_and_every_whole_number_of_a_range():
    space = search(space={"patience": {"low": 3, "high": 5}, "loss": ["dice", "bce-dice"]}).space
    assert list(product(*axes(space, WHOLE).values())) == list(product((3, 4, 5), ("dice", "bce-dice")))


def test_a_grid_asks_for_as_many_trials_as_it_has_points():
    assert search(sampler="grid").trials == 6
    with pytest.raises(ValueError, match="sampler 'grid' tries each of its 6 points once, but trials is 7"):
        search(sampler="grid", trials=7)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "cmaes"])
def test_every_other_sampler_takes_ranges_and_choices_together(sampler):
    space = {"batch": [4, 8], "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}
    assert search(sampler=sampler, space=space).sampler == sampler


def test_a_space_holds_what_lies_in_its_ranges_and_among_its_choices():
    space = search(space={"batch": [4, 8], "learning_rate": {"low": 1e-3, "high": 1e-1}}).space
    assert holds(space, Recipe(batch=8, learning_rate=1e-3).model_dump())
    assert not holds(space, Recipe(batch=5, learning_rate=1e-3).model_dump())
    assert not holds(space, Recipe(batch=8, learning_rate=0.2).model_dump())

import random

from nestbench.results.importance import read_importance, write_importance
from nestbench.searches.importance import ENOUGH, importance
from nestbench.searches.samplers import distributions
from nestbench.study.schema import Search

SPACE = Search.model_validate(
    {"trials": 1, "space": {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}, "batch": [4, 8, 16]}}
).space


def told(count, value):
    drawn = random.Random(1)
    tried = [{"learning_rate": 10 ** drawn.uniform(-4, 0), "batch": drawn.choice([4, 8, 16])} for _ in range(count)]
    return [(values, value(values)) for values in tried]


def test_the_key_that_decides_has_nearly_all_of_the_importance():
    said = importance(distributions(SPACE), told(60, lambda v: v["learning_rate"]))
    assert said.trials == 60
    assert said.shares["learning_rate"] > 0.9
    assert abs(sum(said.shares.values()) - 1) < 1e-3
    other = importance(distributions(SPACE), told(60, lambda v: float(v["batch"])))
    assert other.shares["batch"] > 0.9


def test_nothing_is_said_of_few_trials_or_of_trials_that_did_alike():
    space = distributions(SPACE)
    assert importance(space, told(ENOUGH - 1, lambda v: v["learning_rate"])) is None
    assert importance(space, told(ENOUGH, lambda v: v["learning_rate"])) is not None
    assert importance(space, told(ENOUGH, lambda v: 0.5)) is None
    assert importance(space, told(ENOUGH, lambda v: float(v["learning_rate"] > 0.5))) is None


def test_what_was_said_is_read_as_it_was_written(tmp_path):
    said = importance(distributions(SPACE), told(30, lambda v: v["learning_rate"]))
    assert read_importance(tmp_path) is None
    write_importance(tmp_path, said)
    assert read_importance(tmp_path) == said
    assert said == importance(distributions(SPACE), told(30, lambda v: v["learning_rate"]))

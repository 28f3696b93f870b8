import pytest
import torch

from nestbench.machine import measure
from nestbench.machine.measure import EAGER, PLAIN, WAYS, Way, time_ways


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(measure, "_SHAPES", {"cpu": (2, 8)})


def test_every_way_takes_part_in_every_round():
    taken = time_ways("cpu", torch.get_num_threads(), budget=0)
    assert tuple(taken) == WAYS["cpu"] == EAGER
    assert {len(seconds) for seconds in taken.values()} == {3}
    assert all(second > 0 for seconds in taken.values() for second in seconds)


def test_measuring_leaves_random_numbers_as_they_were():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    time_ways("cpu", torch.get_num_threads(), budget=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_way_that_is_far_slower_is_given_up_after_its_first_image(monkeypatch):
    passes = []

    def step(plan, batch, size):
        way = Way(plan.precision, plan.memory_format)

        def seconds(count):
            passes.append((way, count))
            return count * (60.0 if plan.precision == "bfloat16" else 0.01)

        return seconds

    monkeypatch.setattr(measure, "_step", step)
    taken = time_ways("cpu", torch.get_num_threads(), budget=0)
    assert [count for way, count in passes if way == Way("bfloat16", "contiguous")] == [1]
    assert taken[PLAIN] == [0.02] * 3
    assert taken[Way("bfloat16", "channels-last")] == [120.0]


def test_a_slow_machine_gives_nothing_up(monkeypatch):
    monkeypatch.setattr(measure, "_step", lambda plan, batch, size: lambda count: 9.0 * count)
    assert {len(seconds) for seconds in time_ways("cpu", torch.get_num_threads(), budget=0).values()} == {3}


def test_a_gpu_also_measures_every_way_recorded_and_replayed():
    assert [way for way in WAYS["cuda"] if not way.replay] == list(EAGER)
    assert [way._replace(replay=False) for way in WAYS["cuda"] if way.replay] == list(EAGER)
    assert all(way.plan("cuda", 1).replay == way.replay for way in WAYS["cuda"])

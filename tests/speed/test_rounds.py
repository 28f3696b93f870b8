from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.engine import Engine
from nestbench.machine import Plan
from nestbench.model.build import specify
from nestbench.speed.rounds import (
    MOST_ROUNDS,
    MOST_SECONDS,
    STEADY,
    image_shape,
    network_pass,
    steady,
    take_turns,
    warm_up,
)


class Watch:
    """A clock that only passes move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def takes(self, *seconds):
        """A pass that takes so long at its first turn, at its second, and as the last for ever after."""
        left = list(seconds)

        def work():
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


def test_passes_take_turns_and_each_is_timed_alone():
    watch, order = Watch(), []
    slow, fast = watch.takes(3.0), watch.takes(1.0, 2.0)
    passes = [lambda: (order.append("slow"), slow()), lambda: (order.append("fast"), fast())]
    taken = take_turns(passes, 3, lambda _: None, watch)
    assert order == ["slow", "fast", "fast", "slow", "slow", "fast"]
    np.testing.assert_allclose(taken, [[3, 1], [3, 2], [3, 2]])


@given(st.integers(1, 5))
def test_in_as_many_rounds_as_passes_each_has_had_every_place(count):
    order = []
    take_turns([partial(order.append, name) for name in range(count)], count, lambda _: None)
    rounds = np.array(order).reshape(count, count)
    assert (np.sort(rounds, axis=0) == np.arange(count)[:, None]).all()
    assert (np.sort(rounds, axis=1) == np.arange(count)).all()


def test_every_round_is_told_once_it_is_done():
    told = []
    take_turns([lambda: told.append("pass")], 2, told.append)
    assert told == ["pass", 1, "pass", 2]


def test_a_warm_up_lasts_until_passes_get_no_faster():
    watch, rounds = Watch(), []
    seconds = warm_up([watch.takes(0.9, 0.5, 0.3, 0.2, 0.1), watch.takes(0.1)], lambda: rounds.append(1), watch)
    assert len(rounds) == 4 + 2 * STEADY - 1
    assert seconds == pytest.approx(0.2)


def test_a_warm_up_ends_where_passes_never_come_to_rest():
    watch, rounds = Watch(), []
    warm_up([watch.takes(*(0.1 * 2**-n for n in range(100)))], lambda: rounds.append(1), watch)
    assert len(rounds) == MOST_ROUNDS


@pytest.mark.parametrize("count", [1, 3])
def test_a_warm_up_of_slow_passes_has_two_rounds_however_many_take_part(count):
    watch, rounds = Watch(), []
    slow = [watch.takes(MOST_SECONDS)] * count
    assert warm_up(slow, lambda: rounds.append(1), watch) == MOST_SECONDS * count
    assert len(rounds) == 2


def test_many_passes_warm_up_for_as_long_as_each_would_alone():
    watch, rounds = Watch(), []
    never = [watch.takes(*(0.4 * MOST_SECONDS * 0.9**n for n in range(100))) for _ in range(4)]
    warm_up(never, lambda: rounds.append(1), watch)
    assert len(rounds) == 3


@given(st.lists(st.floats(1e-4, 0.1), min_size=1, max_size=4), st.integers(2 * STEADY, MOST_ROUNDS))
def test_equal_rounds_are_steady_and_so_are_their_multiples(times, rounds):
    assert steady(np.array([times] * rounds))
    assert not steady(np.array([times] * (2 * STEADY - 1)))


@given(st.integers(0, 3))
def test_one_pass_that_still_gets_faster_is_enough_to_go_on(column):
    taken = np.full((2 * STEADY, 4), 0.1)
    taken[STEADY:, column] = 0.09
    assert not steady(taken)


def test_a_network_pass_runs_the_engine_on_one_batch_of_the_asked_size():
    seen = []
    spec = specify("unet:1", "plain:1", in_channels=3, dims=3)
    work = network_pass(Engine(spec, "cpu", seen.append), 5, 2, Plan("cpu", "float32", "contiguous", 1))
    work()
    work()
    assert [tuple(images.shape) for images in seen] == [image_shape(spec, 5, 2)] * 2 == [(2, 3, 5, 5, 5)] * 2
    assert all(before is after for before, after in pairwise(seen))

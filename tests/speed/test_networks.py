import pytest

from nestbench.machine import Plan
from nestbench.model.build import specify
from nestbench.speed import measure, networks

PLAN = Plan("cpu", "float32", "contiguous", 1)


def test_every_network_is_timed_in_every_round_after_a_warm_up():
    specs, rounds = [specify("unet:1", "plain:2"), specify("unet++:2", "plain:2")], []
    timings = measure(specs, 16, 2, PLAN, 4, rounds.append)
    assert len(timings) == 2
    assert rounds[-4:] == [1, 2, 3, 4]
    assert len(rounds) > 4
    assert set(rounds[:-4]) == {0}
    assert all(0 < t.q25_ms <= t.median_ms <= t.q75_ms for t in timings)


def test_timing_works_on_images_with_several_channels_and_odd_sizes():
    (timing,) = measure([specify("unet", "plain:2", in_channels=3, classes=4)], 33, 1, PLAN, 1, lambda _: None)
    assert timing.q25_ms == timing.median_ms == timing.q75_ms


def test_volumes_are_timed_too():
    (timing,) = measure([specify("unet:1", "plain:2", dims=3)], 9, 1, PLAN, 1, lambda _: None)
    assert timing.median_ms > 0


def test_quartiles_are_those_of_the_rounds_in_milliseconds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(networks, "warm_up", lambda passes, on_round: None)
    monkeypatch.setattr(networks, "take_turns", lambda *_: networks.np.array([[0.001], [0.002], [0.004], [0.008], [1]]))
    assert measure([specify("unet:1", "plain:1")], 8, 1, PLAN, 5, lambda _: None) == [networks.Timing(4, 2, 8)]

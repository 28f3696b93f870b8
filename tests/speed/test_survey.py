from types import SimpleNamespace

import pytest
import torch

from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.model import build, prune
from nestbench.model.size import network_size
from nestbench.speed import peak, survey
from nestbench.speed.memory import Memory
from nestbench.speed.survey import FEWEST, MOST, Setting, rounds_for

PLAN = Plan("cpu", "float32", "contiguous", 1)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """The peak by convolutions that take no time, the memory by no processes."""
    monkeypatch.setattr(peak, "SHAPES", ((2, 8), (4, 4)))
    monkeypatch.setattr(survey, "peak_memory", lambda spec, *_: Memory(spec.depth, 100))


@pytest.fixture
def networks():
    torch.manual_seed(0)
    whole = build("unet++ds", "plain:2", 2).eval()
    return {"L1": prune(whole, 1), "L2": prune(whole, 2), "all": whole}


def measured(networks, **changes):
    asked = Setting(**{"size": 16, "batch": 3, "plan": PLAN, "engine": "torch", "rounds": 2} | changes)
    said = []
    return survey.survey(networks, asked, lambda *word: said.append(word)), said


def test_every_output_is_measured_alone_and_from_file_to_file(networks):
    found, _ = measured(networks)
    assert [row.output for row in found.networks] == ["L1", "L2", "all"]
    for row, network in zip(found.networks, networks.values(), strict=True):
        assert row.size == network_size(network.spec, 16)
        assert row.alone.rounds == row.end_to_end.rounds == 2
        assert row.memory == Memory(network.spec.depth, 100)
        assert row.alone.images_per_second == pytest.approx(3 * 1000 / row.alone.median)
        assert row.end_to_end.images_per_second == pytest.approx(1000 / row.end_to_end.median)
        assert row.flops_per_second == pytest.approx(row.size.flops * row.alone.images_per_second)
        assert row.share_of_peak == pytest.approx(row.flops_per_second / found.peak_flops_per_second)


def test_ratios_are_to_the_deepest_of_a_single_head(networks):
    found, _ = measured(networks)
    assert found.reference == "L2"
    assert [row.alone.ratio.value == 1 for row in found.networks] == [False, True, False]
    assert measured({"all": networks["all"]})[0].reference == "all"


def test_what_is_done_is_told_and_ends_full(networks):
    _, said = measured(networks)
    last = {what: (done, total) for what, done, total in said}
    assert last["timing the networks"] == last["timing from file to file"] == (2, 2)
    assert [what for what, _, _ in said if what.startswith("measuring")] == [
        f"measuring the memory of {name}" for name in networks
    ]


def test_a_size_that_a_network_cannot_take_is_refused_before_any_work(networks):
    with pytest.raises(RequestError, match="size 2 is too small"):
        measured(networks, size=2)


def test_what_takes_more_memory_than_there_is_is_refused_before_any_work(networks, monkeypatch):
    monkeypatch.delattr(survey, "make_engine")
    with pytest.raises(RequestError, match=r"a batch of 10{12} at size 16, in 2D, takes at least [\d,]+ GiB of memory"):
        measured(networks, batch=10**12)


def test_rounds_that_nobody_asked_for_follow_from_their_length(networks, monkeypatch):
    monkeypatch.setattr(survey, "warm_up", lambda passes, on_round: 1e9)
    assert {row.alone.rounds for row in measured(networks, rounds=None)[0].networks} == {FEWEST}
    assert [rounds_for(seconds) for seconds in (1e-6, 0.2, 1e9)] == [MOST, 100, FEWEST]


def test_energy_is_measured_where_there_is_a_meter(networks, monkeypatch):
    monkeypatch.setattr(survey, "find_meter", lambda device: SimpleNamespace(missing=""))
    monkeypatch.setattr(survey, "joules_an_image", lambda meter, one, seconds, images: float(images))
    found, _ = measured(networks)
    assert found.no_energy == ""
    assert [row.joules_per_image for row in found.networks] == [3.0, 3.0, 3.0]

"""All that is measured of a network at each of its depths, in one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nestbench.engine import Engine, make_engine
from nestbench.machine import Plan
from nestbench.model import AnyNetwork
from nestbench.model.size import Size, network_size
from nestbench.speed.energy import find_meter, joules_an_image
from nestbench.speed.files import draw_file, file_pass
from nestbench.speed.memory import Memory, least_memory, peak_memory, refuse_beyond
from nestbench.speed.pace import Pace, paces
from nestbench.speed.peak import convolutions, peak
from nestbench.speed.rounds import Pass, Seconds, network_pass, take_turns, warm_up

ALL = "all"
"""The output of a network that keeps all its heads."""
SECONDS = 20.0
"""About as long as the rounds of one kind take where their number is left open."""
FEWEST, MOST = 10, 200

Say = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Setting:
    """What is timed, and how."""

    size: int
    batch: int
    plan: Plan
    engine: str
    rounds: int | None
    """None for as many as SECONDS allow."""


@dataclass(frozen=True)
class Measured:
    """One network; operations are two a multiply-add."""

    output: str
    """``L1`` .. for the network of one head, ``all`` for that of several."""
    size: Size
    alone: Pace
    """From a batch on the device to its logits."""
    flops_per_second: float
    share_of_peak: float
    end_to_end: Pace
    """From one image's file to its mask's file."""
    memory: Memory
    joules_per_image: float | None


@dataclass(frozen=True)
class Survey:
    """What was measured in one run."""

    reference: str
    """The output whose time the ratios are to."""
    peak_flops_per_second: float
    no_energy: str
    """Why energy was not measured; empty where it was."""
    networks: list[Measured]


def survey(networks: Mapping[str, AnyNetwork], setting: Setting, say: Say) -> Survey:
    """Measure networks by the names of their outputs; the last of a single head is what the others are held against.

    Raises RequestError for a size that they cannot take, and for what takes more memory than there is, before anything
    is measured.
    """
    sizes = [network_size(network.spec, setting.size) for network in networks.values()]
    for network in networks.values():
        least = least_memory(network.spec, setting.size, setting.batch, setting.plan.precision)
        what = f"a batch of {setting.batch} at size {setting.size}, in {network.spec.dims}D,"
        refuse_beyond(what, least, setting.plan.device)
    setting.plan.enter()
    engines = _ready(networks, setting, say)
    passes = [network_pass(engine, setting.size, setting.batch, setting.plan) for engine in engines]
    alone, top = _alone(passes, setting, say)
    meter = find_meter(setting.plan.device)
    joules = [joules_an_image(meter, *one, setting.batch) for one in zip(passes, np.median(alone, axis=0), strict=True)]
    files = _end_to_end(engines, setting, say)
    memories = _memories(networks, setting, say)
    reference = _reference(list(networks))
    alone_paces, file_paces = paces(alone, setting.batch, reference), paces(files, 1, reference)
    rows = zip(networks, sizes, alone_paces, file_paces, memories, joules, strict=True)
    return Survey(list(networks)[reference], top, meter.missing, [_measured(top, *row) for row in rows])


def rounds_for(seconds: float) -> int:
    """How many rounds of so many seconds are made."""
    return min(MOST, max(FEWEST, int(SECONDS / seconds)))


def _reference(outputs: list[str]) -> int:
    return max(index for index, name in enumerate(outputs) if name != ALL or len(outputs) == 1)


def _ready(networks: Mapping[str, AnyNetwork], setting: Setting, say: Say) -> list[Engine]:
    engines: list[Engine] = []
    for name, network in networks.items():
        say(f"making {name} ready", len(engines), len(networks))
        engines.append(make_engine(network, setting.plan, setting.engine))
    return engines


def _alone(passes: list[Pass], setting: Setting, say: Say) -> tuple[Seconds, float]:
    """Seconds (rounds, networks), and the machine's peak as measured in the same rounds."""
    every = convolutions(setting.plan)
    taken = _rounds("timing the networks", [*passes, *(one.work for one in every)], setting, say)
    return taken[:, : len(passes)], peak(taken[:, len(passes) :], [one.flops for one in every])


def _end_to_end(engines: list[Engine], setting: Setting, say: Say) -> Seconds:
    """Seconds (rounds, networks)."""
    with TemporaryDirectory(prefix="nestbench-") as folder:
        source = draw_file(engines[0].spec, setting.size, Path(folder))
        passes = [file_pass(engine, source, Path(folder) / str(index)) for index, engine in enumerate(engines)]
        return _rounds("timing from file to file", passes, setting, say)


def _rounds(what: str, passes: list[Pass], setting: Setting, say: Say) -> Seconds:
    seconds = warm_up(passes, lambda: say(f"{what}: warming up", 0, 1))
    rounds = setting.rounds or rounds_for(seconds)
    return take_turns(passes, rounds, lambda done: say(what, done, rounds))


def _memories(networks: Mapping[str, AnyNetwork], setting: Setting, say: Say) -> list[Memory]:
    found: list[Memory] = []
    for name, network in networks.items():
        say(f"measuring the memory of {name}", len(found), len(networks))
        found.append(peak_memory(network.spec, setting.size, setting.batch, setting.plan, setting.engine))
    return found


def _measured(
    top: float, output: str, size: Size, alone: Pace, end_to_end: Pace, memory: Memory, joules: float | None
) -> Measured:
    rate = size.flops * alone.images_per_second
    return Measured(output, size, alone, rate, rate / top, end_to_end, memory, joules)

"""What was measured on this machine, kept in a file, and which precision and memory format are fastest by it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nestbench.errors import RequestError
from nestbench.machine.device import device_name
from nestbench.machine.measure import PLAIN, WAYS, Way, time_ways
from nestbench.machine.plan import MemoryFormat, Precision
from nestbench.results.atomic import write_json
from nestbench.results.reading import read_json
from nestbench.study.words import slug

GAIN = 1.1
"""How many times as fast as the best float32 bfloat16 must be: float32 is the safer arithmetic."""

# Raised whenever something else is measured, or in another way.
_PROCEDURE = 2


@dataclass(frozen=True)
class Measured:
    """A way to compute, and how fast a training step is by it."""

    precision: Precision
    memory_format: MemoryFormat
    seconds: float
    """Of the best training step of a small network: what disturbs a machine only ever adds to a time."""
    ratio: float
    """How many times as fast as plain float32 (contiguous)."""
    replay: bool = False
    """Whether the step was recorded and replayed, as a GPU's can be."""


def calibrate(device: str, threads: int, cache: Path) -> tuple[Measured, ...]:
    """What this device does well with so many threads: read from the folder ``cache``, or measured in a few seconds.

    A record that is damaged is made again; where none can be kept, it is measured each time.
    """
    key = {"device": device_name(device), "torch": str(torch.__version__), "threads": threads, "procedure": _PROCEDURE}
    path = cache / f"calibration-{slug('-'.join(map(str, key.values())).lower())}.json"
    if (known := _known(path, key, WAYS[device])) is not None:
        return known
    measured = compare({way: min(seconds) for way, seconds in time_ways(device, threads).items()})
    with suppress(OSError, RequestError):
        write_json(path, key | {"measured": [asdict(one) for one in measured]})
    return measured


def compare(times: Mapping[Way, float]) -> tuple[Measured, ...]:
    """Each way with its ratio to plain float32, which is one of them.

    Raises ValueError for a time that is none.
    """
    if not all(0 < seconds < math.inf for seconds in times.values()):
        raise ValueError("a time is a number above 0")
    return tuple(
        Measured(way.precision, way.memory_format, seconds, times[PLAIN] / seconds, way.replay)
        for way, seconds in times.items()
    )


def fastest(measured: Iterable[Measured], precision: str = "auto") -> Measured:
    """The fastest in that precision; with ``auto``, bfloat16 only where it gains enough. Of equals, the plainest."""
    ordered = sorted(measured, key=lambda one: one.seconds)
    best = {name: next(one for one in ordered if one.precision == name) for name in ("float32", "bfloat16")}
    if precision != "auto":
        return best[precision]
    return best["bfloat16" if best["float32"].seconds >= GAIN * best["bfloat16"].seconds else "float32"]


def _known(path: Path, key: dict[str, Any], ways: Sequence[Way]) -> tuple[Measured, ...] | None:
    try:
        content = read_json(path)
        rows = content.pop("measured")
        times = {Way(row["precision"], row["memory_format"], row["replay"]): row["seconds"] for row in rows}
        measured = compare({way: times[way] for way in ways})
    except (RequestError, KeyError, TypeError, ValueError):
        return None
    return measured if content == key else None

"""From a request and what was measured to the plan."""

from pathlib import Path
from typing import get_args

from nestbench.errors import unknown
from nestbench.machine.calibrate import calibrate, fastest
from nestbench.machine.device import cores, find_device
from nestbench.machine.plan import Plan, Precision

PRECISIONS = ("auto", *get_args(Precision))


def choose_plan(device: str = "auto", workers: int = 1, precision: str = "auto", cache: Path | None = None) -> Plan:
    """Choose what is fastest on this machine by its calibration, which is kept in the folder ``cache``.

    Without a folder nothing is measured: float32, unless bfloat16 is asked for, and contiguous.
    Raises RequestError for a device that does not exist here and for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    found, threads = find_device(device), max(1, cores() // workers)
    if cache is None:
        return Plan(found, "bfloat16" if precision == "bfloat16" else "float32", "contiguous", threads)
    way = fastest(calibrate(found, threads, cache), precision)
    return Plan(found, way.precision, way.memory_format, threads, way.replay)

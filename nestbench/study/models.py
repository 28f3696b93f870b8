"""Names of networks: a member of the family (``unet++ds``, ``unet:2``), or another library's (``smp:Unet:5``)."""

from nestbench.errors import RequestError, unknown
from nestbench.plugins import available
from nestbench.topology import DETECTORS, GRIDS, MAX_DEPTH, topology


def is_outside(name: str) -> bool:
    """Whether the name is of a network outside the family: it has no grid and one head."""
    plugin = name.partition(":")[0]
    return plugin not in GRIDS and plugin in available("model")


def is_detector(name: str) -> bool:
    """Whether the name is of a network that finds objects one by one."""
    return name.partition(":")[0] in DETECTORS


def check_task(name: str, task: str) -> None:
    """Raise RequestError for a network that finds objects, where classes of pixels are asked for."""
    if is_detector(name) and task != "instance":
        raise RequestError(f"model '{name}' finds objects one by one: it needs task: instance, and task is {task}")


def split_depth(name: str, depth: int) -> tuple[str, int]:
    """Split ``smp:Unet:5`` into the network and its depth; ``depth`` stands in where the name gives none.

    Raises RequestError for a depth that no encoder has.
    """
    network, _, own = name.rpartition(":")
    if ":" not in network or not own.isdecimal():
        return name, depth
    if not 1 <= int(own) <= MAX_DEPTH:
        raise RequestError(f"depth '{own}' of model '{name}' is not a whole number from 1 to {MAX_DEPTH}")
    return network, int(own)


def check_model(name: str, depth: int) -> None:
    """Raise RequestError for a network that does not exist, with the nearest name that does; nothing is imported."""
    plugin = name.partition(":")[0]
    if plugin not in GRIDS and plugin not in available("model"):
        raise unknown("model", name, [*GRIDS, *available("model")])
    if is_outside(name):
        split_depth(name, depth)
    else:
        topology(name, depth)

"""Memory of a network while it answers, in a process that holds nothing else."""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, UntypedStorage, nn

from nestbench.engine import Engine, make_engine
from nestbench.errors import RequestError, RunError
from nestbench.machine import Plan, Precision, memory_of
from nestbench.machine.memory import begin_anew, held
from nestbench.model import Spec, construct
from nestbench.model.build import specify
from nestbench.model.size import pass_through
from nestbench.speed.rounds import network_pass

PASSES = 3
LEAST = 16
"""Pixels a side of the image of the network that goes before."""

_GIB = 2**30


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak: resident memory on a CPU, what torch's allocator gave out on a GPU."""

    network: int
    """Weights, and what passes took, above what a network of one channel takes."""
    process: int
    """All that the process held."""


def least_memory(spec: Spec, size: int, batch: int, precision: Precision) -> int:
    """Bytes that a forward pass takes at least: of what its layers take and give, the most that is there at a time.

    Nothing is allocated. What it takes besides, for its weights and within its layers, has been seen to be as much.
    """
    there: WeakKeyDictionary[UntypedStorage, int] = WeakKeyDictionary()
    taken: list[int] = []

    def note(_: nn.Module, given: tuple[object, ...], found: object) -> None:
        storages = [tensor.untyped_storage() for tensor in (*given, found) if isinstance(tensor, Tensor)]
        there.update({storage: storage.nbytes() for storage in storages})
        taken.append(sum(there.values()))

    dtype = getattr(torch, precision)
    with torch.device("meta"), torch.no_grad():
        network = construct(spec).eval().to(dtype)
        for layer in network.modules():
            layer.register_forward_hook(note)
        pass_through(network, torch.empty(1, spec.in_channels, *(size,) * spec.dims, dtype=dtype))
    return batch * max(taken)


def refuse_beyond(what: str, least: int, device: str) -> None:
    """Raise RequestError for what takes more bytes than the device has."""
    there = memory_of(device)
    if least > there:
        takes, has = -(-least // _GIB), there // _GIB
        raise RequestError(f"{what} takes at least {takes:,} GiB of memory, and the device '{device}' has {has:,} GiB")


def peak_memory(spec: Spec, size: int, batch: int, plan: Plan, kind: str) -> Memory:
    """Make a network ready in a fresh process, run it a few times, and say what it held meanwhile.

    Raises RunError where that process dies.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        try:
            return process.submit(_measured, spec, size, batch, plan, kind).result()
        except BrokenProcessPool as error:
            raise RunError("the process in which memory is measured has died: was there too little of it?") from error


def _measured(spec: Spec, size: int, batch: int, plan: Plan, kind: str) -> Memory:
    plan.enter()
    # What is loaded with the first network, whichever it is, is not the network's own.
    with torch.device("meta"):
        construct(spec)
    _run(make_engine(construct(specify("unet:1", "plain:1")), plan, kind), LEAST, 1, plan)
    begin_anew(plan.device)
    before = held(plan.device)
    engine = make_engine(construct(spec), plan, kind)
    begin_anew(plan.device)
    _run(engine, size, batch, plan)
    after = held(plan.device)
    return Memory(after - before, after)


def _run(engine: Engine, size: int, batch: int, plan: Plan) -> None:
    work = network_pass(engine, size, batch, plan)
    for _ in range(PASSES):
        work()

"""Work of a GPU, recorded once for each shape of its input and replayed: CUDA graphs.

A training step of a nested network is hundreds of small kernels. Python takes longer to ask for them than a GPU takes
to do them; a recorded step is asked for at once. What is replayed are the same kernels, so results are the same bits.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

Tensors = tuple[Tensor, ...]
Work = Callable[..., Tensors]
"""From tensors to tensors of a network's device, without looking at a value."""

SHAPES = 8
"""Recordings that are kept: each holds the memory of its pass."""

Key = tuple[bool, tuple[torch.Size, ...]]


class _Recording(NamedTuple):
    """A graph, and where it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Tensors
    outputs: Tensors
    gradients: tuple[Tensor | None, ...]


class Replayed:
    """``work`` of a network, as a call that gives the same and leaves the same gradients.

    A shape that comes for the first time is worked on as ever, and recorded when it comes again. The network's
    parameters must stay where they are in memory, and its gradients are overwritten, not added up.
    """

    def __init__(self, network: nn.Module, work: Work) -> None:
        self._network, self._work = network, work
        self._seen: set[Key] = set()
        self._recordings: OrderedDict[Key, _Recording | None] = OrderedDict()
        self._memory = torch.cuda.graph_pool_handle()

    def __call__(self, *inputs: Tensor) -> Tensors:
        """What ``work`` gives for these inputs."""
        key = (self._network.training, tuple(one.shape for one in inputs))
        if key in self._seen and key not in self._recordings:
            self._keep(key, self._recorded(inputs))
        self._seen.add(key)
        recording = self._recordings.get(key)
        if recording is None:
            return self._work(*inputs)
        self._recordings.move_to_end(key)
        return self._replay(recording, inputs)

    def _keep(self, key: Key, recording: "_Recording | None") -> None:
        if len(self._recordings) == SHAPES:
            self._recordings.popitem(last=False)
        self._recordings[key] = recording

    def _recorded(self, inputs: Tensors) -> "_Recording | None":
        """A recording, or None of what cannot be recorded: a plugin's loss may look at its value."""
        try:
            return self._record(inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            self._network.zero_grad(set_to_none=True)  # what a recording that broke off has left
            return None

    def _replay(self, recording: _Recording, inputs: Tensors) -> Tensors:
        for own, given in zip(recording.inputs, inputs, strict=True):
            own.copy_(given)
        recording.graph.replay()
        for parameter, gradient in zip(self._network.parameters(), recording.gradients, strict=True):
            parameter.grad = gradient
        return tuple(value.clone() for value in recording.outputs)

    def _record(self, inputs: Tensors) -> _Recording:
        own = tuple(one.clone() for one in inputs)
        buffers = [(buffer, buffer.clone()) for buffer in self._network.buffers()]
        random = torch.cuda.get_rng_state()
        graph = torch.cuda.CUDAGraph()
        try:
            self._rehearse(own)
            self._network.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph, pool=self._memory):
                outputs = self._work(*own)
        finally:  # as if nothing had been done
            torch.cuda.set_rng_state(random)
            for buffer, before in buffers:
                buffer.copy_(before)
        return _Recording(graph, own, outputs, tuple(p.grad for p in self._network.parameters()))

    def _rehearse(self, inputs: Tensors) -> None:
        """Once on a stream of its own, as CUDA wants it: libraries take the memory that they keep for a stream."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._network.zero_grad(set_to_none=True)
            self._work(*inputs)
        torch.cuda.current_stream().wait_stream(stream)

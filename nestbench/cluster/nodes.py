"""The nodes of a Ray cluster: which there are, how many runs they have room for, and whether they can do them."""

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from nestbench import __version__
from nestbench.cluster.shared import Tokens, misfit
from nestbench.errors import refuse

PATIENCE = 120.0
"""Seconds in which each node must have begun a process and looked at the shared folders."""

Needs = dict[str, float]
"""What a run takes of a node, in Ray's words: ``CPU`` and ``GPU``."""

Node = dict[str, Any]
"""What Ray says of a node."""


def alive(ray: Any) -> list[Node]:
    """The nodes that there are now, as far as Ray knows."""
    return [node for node in ray.nodes() if node["Alive"]]


def on(ray: Any, node: str) -> Any:
    """Ray's word for: on this node, or nowhere."""
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def end_process(ray: Any, host: str, process: int) -> None:
    """Kill a process of a host, by a task on one of its nodes; nothing is waited for."""
    nodes = [node["NodeID"] for node in alive(ray) if node["NodeManagerHostname"] == host]
    if nodes:
        ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=on(ray, nodes[0]))(_killed).remote(process)


def _killed(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def fits(needs: Needs, node: Node) -> int:
    """How many runs a node has room for; Ray counts in ten thousandths."""
    return int(min(node["Resources"].get(key, 0) / value for key, value in needs.items()) + 1e-3)


def check_nodes(ray: Any, nodes: Sequence[Node], shared: Tokens) -> None:
    """Raise RequestError that names nodes which have another nestbench, or do not see the shared folders."""
    look = ray.remote(num_cpus=0, max_retries=0)(misfit)
    with ThreadPoolExecutor(len(nodes) or 1) as threads:
        answers = list(threads.map(lambda node: _looked(ray, look, node["NodeID"], shared), nodes))
    hosts = [node["NodeManagerHostname"] for node in nodes]
    refuse("of the cluster, node", [f"'{host}' {said}" for host, said in zip(hosts, answers, strict=True) if said])


def why(error: Any) -> str:
    """The first sentence of an error of Ray, or of the error in a node's process that it stands for."""
    cause = getattr(error, "cause", None)
    said = f"{type(cause).__name__}: {cause}" if cause else str(error) or type(error).__name__
    return said.partition("\n")[0].partition(". ")[0]


def _looked(ray: Any, look: Any, node: str, shared: Tokens) -> str:
    """What is wrong with a node; nothing where it can do runs, and where it is dead, as it will do none."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            answer = look.options(scheduling_strategy=on(ray, node)).remote(shared, __version__)
            return str(ray.get(answer, timeout=PATIENCE))
        except ray.exceptions.RayError as error:
            if node not in {one["NodeID"] for one in alive(ray)}:
                return ""
            # All but an error of the look itself may pass: a node that has just come, or gone, is not known everywhere.
            if isinstance(error, ray.exceptions.RayTaskError) or time.monotonic() > end:
                return f"cannot begin a process of nestbench ({why(error)})"
        time.sleep(1)

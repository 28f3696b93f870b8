"""What is settled before any training: names, sizes, the machine's plan, and whose results lie in the folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nestbench import plugins
from nestbench.datasets.open import open_dataset
from nestbench.errors import RequestError
from nestbench.machine import Plan, choose_plan
from nestbench.machine.device import cores, find_device, gpus
from nestbench.model import construct
from nestbench.model.size import check_training
from nestbench.results.atomic import sweep, writable, write_json, write_text
from nestbench.results.lock import take
from nestbench.results.reading import naming, read_json
from nestbench.runner.means import Means
from nestbench.study.files import dump_study
from nestbench.study.schema import Study
from nestbench.work.job import network_spec


def check_names(study: Study, root: Path) -> None:
    """Look up every name of the study, and pass a batch through every network without memory or weights.

    Pretrained weights are fetched, so that no run waits for them or fails without them.
    Raises RequestError for a name that does not exist, a depth that an encoder cannot give, a size or batch that a
    network cannot take, and pretrained weights that cannot be had.
    """
    for loss in choices(study, "loss"):
        plugins.find_plain("loss", str(loss))
    opened = {spec.title: open_dataset(spec, root) for spec in study.datasets}
    batch = int(min(choices(study, "batch")))
    for cell in study.cells():
        check_training(network_spec(cell, opened[cell.dataset.title]), cell.dataset.side, batch)
    for cell in study.cells():
        if cell.pretrained:
            construct(network_spec(cell, opened[cell.dataset.title]), cell.pretrained)


def check_extras(means: Means) -> None:
    """Raise RequestError where a package is asked for that is not installed."""
    if means.tensorboard and find_spec("tensorboard") is None:
        raise RequestError("logs for TensorBoard need its package: pip install 'nestbench[tensorboard]'")


def runs_here(means: Means) -> int:
    """How many runs share the cores of a machine: so many as are asked for, on GPUs else ``per_gpu`` on each, else one.

    On a cluster of GPUs, whose nodes should be like this one, it is what its GPUs have room for.
    Raises RequestError for more than four to a core on this machine: they would only wait for one another.
    """
    on_gpus = len(gpus()) * means.per_gpu if find_device(means.device) == "cuda" else 0
    if means.cluster:
        return on_gpus or means.workers or 1
    most = 4 * cores()
    if means.workers is not None and not 1 <= means.workers <= most:
        raise RequestError(f"{means.workers} workers make no sense on {cores()} cores (allowed: 1 to {most})")
    return means.workers or on_gpus or 1


def settle_plan(folder: Path, device: str, workers: int, precision: str = "auto", cache: Path | None = None) -> Plan:
    """The plan that the study began with, threads included, or else the one that ``choose_plan`` chooses here.

    The number of threads changes the last digits of a sum, so a study keeps the one that it began with.
    Raises RequestError where the study began on another device, or in another precision, than is asked for or is here.
    """
    path = folder / "plan.json"
    if not path.exists():
        return choose_plan(device, workers, precision, cache)
    with naming(path):
        kept = Plan(**read_json(path))
    if device not in ("auto", kept.device):
        raise RequestError(f"the study in '{folder}' began on device '{kept.device}': '{device}' cannot go on with it")
    if precision not in ("auto", kept.precision):
        raise RequestError(
            f"the study in '{folder}' began in precision '{kept.precision}': '{precision}' cannot go on with it"
        )
    find_device(kept.device)
    return kept


def write_settled(study: Study, plan: Plan, folder: Path) -> None:
    """Write down the study and its plan, once it is known that it will run."""
    write_text(folder / "study.yaml", dump_study(study))
    write_json(folder / "plan.json", asdict(plan))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the study's folder; the system lets go of it when its holder dies.

    Raises RequestError that names host and process where another one holds it, and where it can neither be written to
    nor locked.
    """
    writable(folder)
    with (folder / ".lock").open("a+") as file:
        if not take(file, looks=3):
            file.seek(0)
            raise RequestError(f"the study in '{folder}' is being run already, by {file.read() or 'another process'}")
        sweep(folder)
        file.truncate(0)
        file.write(f"process {os.getpid()} on host '{socket.gethostname()}'")
        file.flush()
        yield


def choices(study: Study, key: str) -> list[Any]:
    """Every value that a key of the recipe may take, the ends of a searched range among them."""
    span = study.search.space.get(key, []) if study.search else []
    return [getattr(study.recipe, key), *(span if isinstance(span, list) else (span.low, span.high))]

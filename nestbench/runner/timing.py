"""Which networks of a study are timed, and the file that says how fast they are here."""

from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from nestbench.datasets.feed import feed
from nestbench.errors import RequestError
from nestbench.find import outputs_of, way_of
from nestbench.instances.ways import Way
from nestbench.machine import Plan, cores, device_name
from nestbench.model import Spec, load
from nestbench.model.size import network_size
from nestbench.results.atomic import sweep, write_json
from nestbench.results.places import seed_folder
from nestbench.results.reading import read_json
from nestbench.results.records import WEIGHTS, fingerprint, read_result
from nestbench.runner.data import Ready
from nestbench.runner.events import Timing
from nestbench.runner.told import told
from nestbench.speed import measure
from nestbench.speed.memory import least_memory
from nestbench.speed.networks import Timing as Taken
from nestbench.speed.objects import measure_objects
from nestbench.study.schema import Cell, Study
from nestbench.study.words import slug
from nestbench.work.job import network_spec

Row = dict[str, Any]


class Wanted(NamedTuple):
    """A network to be timed, and what its row says of it."""

    row: Row
    spec: Spec
    weights: Path | None = None
    """Those that it finds objects with: how long that takes depends on what it finds."""
    way: Way | None = None
    """How it comes to objects, as was chosen for these weights."""


ROUNDS = 15
BATCH = 1


def time_networks(study: Study, folder: Path, ready: dict[str, Ready], plan: Plan) -> Generator[Timing, None, None]:
    """Build and time every pruned depth of every member, where this machine has not done so for this study yet."""
    path = folder / "speed" / f"{slug(device_name(plan.device).lower())}.json"
    wanted = _objects_wanted(study, folder, ready) if study.task == "instance" else _wanted(study, ready)
    whole = replace(plan, threads=cores())
    if _known(path) == [(row, asdict(whole)) for row, *_ in wanted]:
        return

    def work(say: Callable[[Timing], None]) -> list[Row]:
        return _rows(wanted, ready, whole, say)

    rows = yield from told(work)
    sweep(path.parent)
    write_json(path, {"device": device_name(plan.device), "plan": asdict(whole), "rounds": ROUNDS, "rows": rows})


def _rows(wanted: list[Wanted], ready: dict[str, Ready], plan: Plan, say: Callable[[Timing], None]) -> list[Row]:
    return [
        row
        for title in ready
        for row in _dataset_rows([w for w in wanted if w.row["dataset"] == title], ready[title], plan, say)
    ]


def _dataset_rows(wanted: list[Wanted], ready: Ready, plan: Plan, say: Callable[[Timing], None]) -> list[Row]:
    """Time the networks of one data set together. Equal ones (U-Net^e pruned is a U-Net) are timed once."""
    size = ready.spec.side

    def heard(done: int) -> None:
        say(Timing(done, ROUNDS))

    if any(one.weights for one in wanted):
        taken = _time_objects(wanted, ready, plan, heard)
    else:
        distinct = list(dict.fromkeys(one.spec for one in wanted))
        timings = dict(zip(distinct, measure(distinct, size, BATCH, plan, ROUNDS, heard), strict=True))
        taken = [timings[one.spec] for one in wanted]
    return [
        one.row | asdict(network_size(one.spec, size)) | _memory(one, size, plan) | asdict(timing)
        for one, timing in zip(wanted, taken, strict=True)
    ]


def _memory(one: Wanted, size: int, plan: Plan) -> Row:
    """Bytes of a forward pass at least; where objects are found, it goes by what is found."""
    return {} if one.weights else {"memory": least_memory(one.spec, size, BATCH, plan.precision)}


def _time_objects(wanted: list[Wanted], ready: Ready, plan: Plan, heard: Callable[[int], None]) -> list[Taken]:
    """Time each output of trained networks, from pictures of the test side to their objects."""
    held = {one.weights: load(one.weights) for one in wanted if one.weights}
    pictures = [
        feed(ready.prepared, [i], ready.spec, plan.device, truth="instances") for i in ready.split.test[:ROUNDS]
    ]
    found = [(held[one.weights], one.way) for one in wanted if one.weights and one.way]
    return measure_objects(found, pictures, plan, ROUNDS, heard)


def _wanted(study: Study, ready: dict[str, Ready]) -> list[Wanted]:
    """Each head of each cell as a network of its own, and beside several heads the whole network."""
    found = []
    for cell in study.cells():
        data = ready[cell.dataset.title].prepared
        spec = network_spec(cell, data)
        heads: list[tuple[str, Spec]] = [(f"L{d}", spec.prune(d)) for d in spec.heads]
        whole = [("all", spec)] if len(spec.heads) > 1 else []
        for output, network in (*heads, *whole):
            found.append(Wanted(_row(cell, output, network), network))
    return found


def _objects_wanted(study: Study, folder: Path, ready: dict[str, Ready]) -> list[Wanted]:
    """Each output of each cell that has a finished seed, by the weights of its first."""
    found = []
    for cell in study.cells():
        spec = network_spec(cell, ready[cell.dataset.title].prepared)
        weights = (seed_folder(folder, cell, seed) / WEIGHTS for seed in range(study.seeds))
        first = next((path for path in weights if path.exists()), None)
        result = read_result(first.parent) if first else None
        if result is None:
            continue
        for output in outputs_of(spec):
            way = way_of(spec, output, result.chosen.get(output))
            found.append(Wanted(_row(cell, output, spec), spec, first, way))
    return found


def _row(cell: Cell, output: str, network: Spec) -> Row:
    return dict(zip(("dataset", "encoder", "model"), cell.key, strict=True)) | {
        "output": output,
        "depth": network.depth,
        "size": cell.dataset.side,
        "batch": BATCH,
        "network": fingerprint(network.to_json()),
    }


def _known(path: Path) -> list[tuple[Row, Row]]:
    """What was timed before, and under which plan; nothing where the file is missing or damaged: it is made again."""
    keys = ("dataset", "encoder", "model", "output", "depth", "size", "batch", "network")
    try:
        content = read_json(path)
        return [({key: row[key] for key in keys}, content["plan"]) for row in content["rows"]]
    except (RequestError, KeyError, TypeError):
        return []

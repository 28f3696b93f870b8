"""Which networks of a study are timed, and the file that says how fast they are here."""

from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nestbench.errors import RequestError
from nestbench.machine import Plan, cores, device_name
from nestbench.model import Spec
from nestbench.model.size import network_size
from nestbench.results.atomic import write_json
from nestbench.results.reading import read_json
from nestbench.results.records import fingerprint
from nestbench.runner.data import Ready
from nestbench.runner.events import Timing
from nestbench.runner.told import told
from nestbench.speed import measure
from nestbench.study.schema import Study
from nestbench.study.words import slug
from nestbench.work.job import network_spec

Row = dict[str, Any]
Wanted = tuple[Row, Spec]

ROUNDS = 15
BATCH = 1


def time_networks(study: Study, folder: Path, ready: dict[str, Ready], plan: Plan) -> Generator[Timing, None, None]:
    """Build and time every pruned depth of every member, where this machine has not done so for this study yet."""
    path = folder / "speed" / f"{slug(device_name(plan.device).lower())}.json"
    wanted = _wanted(study, ready)
    whole = replace(plan, threads=cores())
    if _known(path) == [(row, asdict(whole)) for row, _ in wanted]:
        return

    def work(say: Callable[[Timing], None]) -> list[Row]:
        return _rows(wanted, ready, whole, say)

    rows = yield from told(work)
    write_json(path, {"device": device_name(plan.device), "plan": asdict(whole), "rounds": ROUNDS, "rows": rows})


def _rows(wanted: list[Wanted], ready: dict[str, Ready], plan: Plan, say: Callable[[Timing], None]) -> list[Row]:
    return [
        row
        for title in ready
        for row in _dataset_rows([w for w in wanted if w[0]["dataset"] == title], ready[title], plan, say)
    ]


def _dataset_rows(wanted: list[Wanted], ready: Ready, plan: Plan, say: Callable[[Timing], None]) -> list[Row]:
    """Time the networks of one data set together. Equal ones (U-Net^e pruned is a U-Net) are timed once."""
    size = ready.spec.side
    distinct = list(dict.fromkeys(spec for _, spec in wanted))
    timings = measure(distinct, size, BATCH, plan, ROUNDS, lambda done: say(Timing(done, ROUNDS)))
    taken = dict(zip(distinct, timings, strict=True))
    return [row | asdict(network_size(spec, size)) | asdict(taken[spec]) for row, spec in wanted]


def _wanted(study: Study, ready: dict[str, Ready]) -> list[Wanted]:
    """Each head of each cell as a network of its own, and beside several heads the whole network."""
    found = []
    for cell in study.cells():
        data = ready[cell.dataset.title].prepared
        spec = network_spec(cell, data)
        heads: list[tuple[str, Spec]] = [(f"L{d}", spec.prune(d)) for d in spec.heads]
        whole = [("all", spec)] if len(spec.heads) > 1 else []
        for output, network in (*heads, *whole):
            row = dict(zip(("dataset", "encoder", "model"), cell.key, strict=True)) | {
                "output": output,
                "depth": network.depth,
                "size": cell.dataset.side,
                "batch": BATCH,
                "network": fingerprint(network.to_json()),
            }
            found.append((row, network))
    return found


def _known(path: Path) -> list[tuple[Row, Row]]:
    """What was timed before, and under which plan; nothing where the file is missing or damaged: it is made again."""
    keys = ("dataset", "encoder", "model", "output", "depth", "size", "batch", "network")
    try:
        content = read_json(path)
        return [({key: row[key] for key in keys}, content["plan"]) for row in content["rows"]]
    except (RequestError, KeyError, TypeError):
        return []

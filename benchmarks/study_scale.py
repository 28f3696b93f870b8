"""What it takes to coordinate many runs: time of the coordinator, memory, and ``study status``.

    python benchmarks/study_scale.py [--by workers|cluster] [--runs 100 1000 10000] [--workers 8] [--last N]

The runs train nothing (``null.py``). All else is what a study does: the queue of every cell, Optuna's sampler (TPE) and
its store, messages of three epochs each, locks, marks and result files. A cell has 90 trials and then 10 seeds, so
10,000 runs are 100 cells. By ``workers`` the store is SQLite and the runs are done by processes of this machine; by
``cluster`` the store is PostgreSQL and the runs are done through Ray. Both servers are started here, and stopped.

``--last N`` writes all results but the last N before anything is measured, and has only those done by the crew: what a
run takes where so many are done already, in minutes instead of hours.

Each number of runs has a process and folders of its own. Coordinator: CPU time of the coordinator's process for each
run, its threads included, once the workers have begun. Wall: the time of the whole by the number of runs, in which the
workers and the disk have their part. Again: seconds, of CPU, in which a study of which all is done is looked through
and its store brought up. Status: seconds of the installed command ``study status``, and of its CPU time. Memory: the
largest that the coordinator ever had.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from asked import answer, bare, count
from null import do_nothing
from servers import cluster, postgres

from nestbench.cluster.crew import open_cluster
from nestbench.datasets.splits import Split
from nestbench.machine import Plan
from nestbench.runner.drive import Driver
from nestbench.runner.events import Failed
from nestbench.runner.queue import find_done, open_queues
from nestbench.runner.settle import write_settled
from nestbench.searches.search import SEARCH_SEED
from nestbench.searches.store import new_store
from nestbench.study.schema import Recipe, Run, Study
from nestbench.work.job import Job
from nestbench.work.messages import Crew
from nestbench.work.workers import open_workers

COMMAND = Path(sys.executable).with_name("nestbench")
PLAN = Plan("cpu", "float32", "contiguous", 1)
TRIALS, SEEDS = 90, 10
WAYS = ("workers", "cluster")


def study(runs: int) -> Study:
    """So many runs in cells of a hundred."""
    cells = -(-runs // (TRIALS + SEEDS))
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "weight_decay": {"low": 1e-6, "high": 1e-2}}
    return Study.model_validate(
        {
            "name": "many",
            "datasets": [{"name": "synthetic", "label": f"set-{number}"} for number in range(cells)],
            "models": ["unet"],
            "recipe": {"epochs": 3},
            "search": {"trials": TRIALS, "space": space},
            "seeds": SEEDS,
        }
    )


def measured(way: str, runs: int, workers: int, last: int, place: Path) -> dict[str, float]:
    """Run a study of so many null runs in a folder; what it took."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres()).url if way == "cluster" else ""
        address = stack.enter_context(cluster(*shares(workers))).address if way == "cluster" else ""
        return taken(study(runs), place / "many", url, address, workers, last)


def shares(workers: int) -> tuple[int, ...]:
    """The cores of the nodes of a cluster: of two, where there are that many."""
    return tuple(part for part in (workers - workers // 2, workers // 2) if part)


def taken(asked: Study, folder: Path, url: str, address: str, workers: int, last: int) -> dict[str, float]:
    """Run a study into a folder, and look at it again; the fields of a row."""

    def job(run: Run) -> Job:
        return Job(run, folder, "nothing", Split((), (), ()), PLAN, folder)

    folder.mkdir()
    write_settled(asked, PLAN, folder)
    runs = (TRIALS + SEEDS) * len(list(asked.cells()))
    done = last or runs
    with patch("os.fsync"):  # nobody waits for the disk where nothing is measured
        for run in islice(every(asked), runs - done):
            do_nothing(job(run), lambda _: False, lambda: False)
    with closing(new_store(folder, url)) as store:  # which is told of them before anything is measured
        open_queues(asked, folder, find_done(asked, folder, job), store)
    with closing(new_store(folder, url)) as store, crew(address, folder, workers) as hands:
        queues = open_queues(asked, folder, find_done(asked, folder, job), store)
        began, cpu, failed = time.monotonic(), time.process_time(), 0
        for event in Driver(queues, hands, job, retries=2, silence=600, stop=lambda: False).events():
            failed += isinstance(event, Failed)
        wall, work = time.monotonic() - began, time.process_time() - cpu
    for child in multiprocessing.active_children():  # whose ends take time from what is measured next
        child.join()
    cpu = time.process_time()
    with closing(new_store(folder, url)) as store:
        queues = open_queues(asked, folder, find_done(asked, folder, job), store)
        left = sum(len(queue.trials) + len(queue.seeds) for queue in queues.values())
    again = time.process_time() - cpu
    assert failed == left == 0, (failed, left)
    each = {"coordinator": 1000 * work / done, "wall": 1000 * wall / done}
    return {"runs": runs, "again": again} | each | status(folder)


def every(asked: Study) -> Iterator[Run]:
    """All runs of a study, cell by cell, with recipes that are drawn."""
    draw = np.random.default_rng(0)
    for cell in asked.cells():
        for trial in range(TRIALS):
            yield Run(cell=cell, recipe=drawn(asked.recipe, draw), seed=SEARCH_SEED, trial=trial)
        best = drawn(asked.recipe, draw)
        yield from (Run(cell=cell, recipe=best, seed=seed) for seed in range(SEEDS))


def drawn(recipe: Recipe, draw: np.random.Generator) -> Recipe:
    """A recipe that the search might try."""
    rate, decay = 10 ** draw.uniform(-4, -1), draw.uniform(1e-6, 1e-2)
    return recipe.model_copy(update={"learning_rate": float(rate), "weight_decay": float(decay)})


@contextmanager
def crew(address: str, folder: Path, workers: int) -> Iterator[Crew]:
    """Workers of this machine, or of the cluster at the address."""
    if address:
        with open_cluster(address, PLAN, [folder], workers, do=do_nothing) as hands:
            yield hands
    else:
        with open_workers(workers, do_nothing) as hands:
            yield hands


def status(folder: Path) -> dict[str, float]:
    """What the installed ``study status`` takes."""
    order, said = [COMMAND, "study", "status", folder / "study.yaml", "--results", folder.parent], folder / "said"
    began = time.monotonic()
    with said.open("w") as file:
        _, code, used = os.wait4(subprocess.Popen([*order, "--json"], stdout=file).pid, 0)
    wall, counts = time.monotonic() - began, json.loads(said.read_text())["counts"]
    assert code == 0, code
    assert counts.keys() == {"done"}, counts
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"status": wall, "status_cpu": used.ru_utime + used.ru_stime, "memory": peak}


def in_words(row: dict[str, Any]) -> str:
    return (
        f"| {row['runs']:,} | {row['coordinator']:.1f} ms | {row['wall']:.0f} ms | {row['again']:.1f} s "
        f"| {row['status']:.1f} s ({row['status_cpu']:.1f}) | {row['memory']:.0f} MiB |"
    )


def alone(way: str, runs: int, workers: int, last: int) -> dict[str, Any]:
    """``measured`` in a process of its own, whose memory is that of this number of runs."""
    order = [sys.executable, __file__, "--by", way, "--runs", str(runs), "--workers", str(workers), "--alone"]
    order += ["--last", str(last)] if last else []
    said = subprocess.run(order, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1]
    found: dict[str, Any] = json.loads(said)
    return found


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--by", choices=WAYS, default="workers", help="who does the runs")
    parser.add_argument("--runs", type=count, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--workers", type=count, default=8)
    parser.add_argument("--last", type=count, default=0, help="how many of the runs are done; without it, all")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        with TemporaryDirectory(prefix="many-") as place:
            print(json.dumps(measured(asked.by, asked.runs[0], asked.workers, asked.last, Path(place))))
        return
    print("| runs | coordinator, each | wall, each | again | status (CPU) | memory |\n|---|---|---|---|---|---|")
    for runs in asked.runs:
        print(in_words(alone(asked.by, runs, asked.workers, asked.last)), flush=True)


if __name__ == "__main__":
    answer(main)

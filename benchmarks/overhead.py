"""What a whole study takes beside its training steps: data, calibration, feeding, validation, tests, start-up, report.

    python benchmarks/overhead.py STUDY FOLDER [--data DIR] [--workers 2] [--device auto]

A study without a search is run by ``nestbench study run``, whole, as a user would run it, with a cache of its own that
is empty, so that preparing the data and calibrating count. Its results, its report and when the command began and ended
are left in FOLDER: where they lie there already, only the table is made of them. Downloads of pretrained weights, if
the study has any, are not part of the cache.

All seconds are those of a worker: one second of a command with two workers is two. Runs note how long training took,
and what of it was waiting for batches and validation; what is left is their steps, and a checkpoint every minute,
written between two of them. They note what their tests take. The rest of the command lies before the first run
(start-up, preparing, calibrating), after the last (timing, report), or is what runs and what hands them out do besides.
A worker that waits because no run is left to be begun is told apart: that goes by how many workers there are, and how
many runs.
"""

import os
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from asked import answer, bare, count, folder

from nestbench.errors import RequestError, RunError
from nestbench.machine import Plan
from nestbench.machine.device import find_device
from nestbench.results.atomic import write_json
from nestbench.results.places import seed_folder
from nestbench.results.reading import read_json
from nestbench.results.records import read_epochs, read_result
from nestbench.study.files import read_study
from nestbench.study.schema import Study

CLOCK = "command.json"
_STAMP = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Spent:
    """Seconds that one run spent, and by its log, in whole seconds since 1970, from when to when it was at work."""

    steps: float
    feeding: float
    validating: float
    testing: float
    began: float
    ended: float


def run(asked: Namespace) -> None:
    """Run the command, and note by how many workers, from when to when.

    Raises RunError in its own words where it fails, RequestError for a folder that holds something else.
    """
    if asked.folder.exists() and not (asked.folder.is_dir() and not any(asked.folder.iterdir())):
        raise RequestError(f"'{asked.folder}' is not empty, and holds no study that this command ran to its end")
    command = [sys.executable, "-m", "nestbench", "study", "run", str(asked.study), "--workers", str(asked.workers)]
    command += ["--device", asked.device, "--results", str(asked.folder / "results")]
    command += ["--out", str(asked.folder / "report.pdf"), *(["--data", str(asked.data)] if asked.data else [])]
    environment = os.environ | {"NESTBENCH_CACHE": str(asked.folder / "cache")}
    began = time.time()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"the study failed: {' '.join(done.stderr.split())[-500:]}")
    write_json(asked.folder / CLOCK, {"workers": asked.workers, "began": began, "ended": time.time()})


def spent(run_folder: Path) -> Spent:
    """What a finished run noted. Raises RequestError where it was not run from its start to its end by one process."""
    result, log = read_result(run_folder), run_folder / "run.log"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    if result is None:
        raise RequestError(f"there is no finished run in '{run_folder}': the study there is another one")
    if result.testing is None or sum(": process " in line for line in lines) != 1:
        raise RequestError(f"the run in '{run_folder}' is not one that was done in one go: give another folder")
    began, ended = (datetime.strptime(lines[at][:19], _STAMP).timestamp() for at in (0, -1))
    epochs = read_epochs(run_folder)
    feeding, validating = sum(e.feeding or 0.0 for e in epochs), sum(e.validating or 0.0 for e in epochs)
    return Spent(result.seconds - feeding - validating, feeding, validating, result.testing, began, ended)


def idle(runs: list[Spent], workers: int) -> float:
    """Seconds of workers, of which there are no more than runs, that waited for the last to end, with none to begin."""
    ends = sorted(one.ended for one in runs)[-workers:]
    return sum(waiting * (later - sooner) for waiting, (sooner, later) in enumerate(pairwise(ends), 1))


def show(study: Study, runs: list[Spent], clock: dict[str, float]) -> None:
    """Print each part in seconds of a worker, and as a share of the steps."""
    workers = min(int(clock["workers"]), len(runs))
    steps, feeding, validating, testing = (
        sum(getattr(one, part) for one in runs) for part in ("steps", "feeding", "validating", "testing")
    )
    first, last = min(one.began for one in runs), max(one.ended for one in runs)
    before, after, waiting = workers * (first - clock["began"]), workers * (clock["ended"] - last), idle(runs, workers)
    seconds = clock["ended"] - clock["began"]
    whole = workers * seconds
    rest = whole - steps - feeding - validating - testing - before - after - waiting
    print(f"{study.name}: {len(runs)} runs by {workers} workers in {seconds / 60:.1f} minutes\n")
    for name, taken in (
        ("training steps, and checkpoints between them", steps),
        ("waiting for batches", feeding),
        ("validation", validating),
        ("tests", testing),
        ("before the first run", before),
        ("after the last run", after),
        ("processes, networks, reading and writing", rest),
        ("beyond the steps", whole - waiting - steps),
        ("workers without a run to begin", waiting),
        ("beyond the steps, with these", whole - steps),
    ):
        print(f"{name:44} {taken:8.0f} s {taken / steps:8.1%}")


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=folder)
    parser.add_argument("--workers", type=count, default=2)
    parser.add_argument("--device", type=find_device, default="auto", help="auto, cpu or cuda")
    asked = parser.parse_args()
    study, results = read_study(asked.study), asked.folder / "results"
    if study.search:
        raise RequestError(f"'{asked.study}' has a search, whose trials note no test: give a study without one")
    if not (asked.folder / CLOCK).exists():
        run(asked)
    place = results / study.name
    runs = [spent(seed_folder(place, cell, seed)) for cell in study.cells() for seed in range(study.seeds)]
    made = read_result(seed_folder(place, next(study.cells()), 0))
    assert made is not None, "each was read before"
    print(f"{made.environment['device']}, {Plan(**read_json(place / 'plan.json'))}, torch {made.environment['torch']}")
    show(study, runs, read_json(asked.folder / CLOCK))


if __name__ == "__main__":
    answer(main)

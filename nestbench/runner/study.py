"""A study from its file to its results: a generator of events that does the work as they are drawn from it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import optuna

from nestbench.results.owner import refuse_changed
from nestbench.results.records import run_folder, write_failure
from nestbench.runner.data import make_job, ready_data, write_data
from nestbench.runner.events import Advanced, Event, Failed, Finished, Planned, Started
from nestbench.runner.job import Job
from nestbench.runner.messages import Began, Message, Reported
from nestbench.runner.overlays import write_overlays
from nestbench.runner.queue import CellQueue, find_done, open_queues
from nestbench.runner.settle import alone, check_names, settle_plan, write_settled
from nestbench.runner.timing import time_networks
from nestbench.runner.workers import Workers, open_workers
from nestbench.study.schema import Cell, Run, Study

Queues = dict[Cell, CellQueue]


def run_study(
    study: Study,
    folder: Path,
    *,
    data: Path,
    cache: Path,
    workers: int = 1,
    device: str = "auto",
    precision: str = "auto",
) -> Iterator[Event]:
    """Run what is not done yet of a study into ``folder``, with so many worker processes.

    A finished result on disk means that its run is done. A run that fails leaves its reason, and the others go on.
    Raises RequestError for all that is wrong with the request, before any training.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_names(study, data)
    with alone(folder):
        yield from _run(study, folder, data, cache, workers, device, precision)


def _run(
    study: Study, folder: Path, data: Path, cache: Path, workers: int, device: str, precision: str
) -> Iterator[Event]:
    """Check everything first, then write: a request that is refused leaves the results as they were."""
    refuse_changed(study, folder)
    plan = settle_plan(folder, device, workers, precision, cache)
    ready = yield from ready_data(study, data, cache)
    job = partial(make_job, ready, plan, folder)
    found = find_done(study, folder, job)
    write_settled(study, plan, folder)
    write_data(ready, folder)
    queues = open_queues(study, folder, found)
    waiting = [Run(cell=c, recipe=study.recipe, seed=s) for c, queue in queues.items() for s in queue.seeds]
    done = [run for one in found.values() for run, _ in one.seeds.values()]
    yield Planned(tuple(waiting), tuple(done), sum(len(queue.trials) for queue in queues.values()))
    if waiting:
        with open_workers(workers) as crew:
            yield from _work(queues, crew, job, folder)
    for title, one in ready.items():
        write_overlays(folder, title, one, study)
    yield from time_networks(study, folder, ready, plan)


def _work(queues: Queues, crew: Workers, job: "partial[Job]", folder: Path) -> Iterator[Event]:
    """Keep every process busy until nothing waits and nothing is in flight; put down why runs failed."""
    for event in _events(queues, crew, job):
        if isinstance(event, Failed):
            write_failure(run_folder(folder, event.run), event.reason)
        yield event


def _events(queues: Queues, crew: Workers, job: "partial[Job]") -> Iterator[Event]:
    while True:
        while crew.free and (run := _next(queues)) is not None:
            crew.start(job(run))
        if not crew.busy:
            break
        yield _heard(crew.next(), queues, crew)
    for queue in queues.values():
        yield from (Failed(run, "every trial of the search failed, so no recipe is known") for run in queue.hopeless())


def _next(queues: Queues) -> Run | None:
    return next((run for queue in queues.values() if (run := queue.next()) is not None), None)


def _heard(message: Message, queues: Queues, crew: Workers) -> Event:
    """Pass a worker's message on to its cell, and say it as an event."""
    run, queue = message.run, queues[message.run.cell]
    if isinstance(message, Began):
        return Started(run)
    if isinstance(message, Reported):
        crew.reply(run, queue.advance(run, message.epoch))
        return Advanced(run, message.epoch, run.recipe.epochs)
    queue.close(run, message.result)
    return Finished(run, message.result) if message.result else Failed(run, message.reason)

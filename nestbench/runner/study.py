"""A study from its file to its results: a generator of events that does the work as they are drawn from it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import optuna

from nestbench.machine import Plan
from nestbench.results.records import run_folder, write_failure
from nestbench.runner.data import Ready, ready_data
from nestbench.runner.events import Advanced, Event, Failed, Finished, Planned, Started
from nestbench.runner.job import Job
from nestbench.runner.overlays import write_overlays
from nestbench.runner.queue import CellQueue, open_queues
from nestbench.runner.settle import check_names, settle_plan, settle_study
from nestbench.runner.timing import time_networks
from nestbench.runner.workers import Began, Message, Reported, Workers, open_workers
from nestbench.study.schema import Cell, Run, Study

Queues = dict[Cell, CellQueue]


def run_study(
    study: Study, folder: Path, *, data: Path, cache: Path, workers: int = 1, device: str = "auto"
) -> Iterator[Event]:
    """Run what is not done yet of a study into ``folder``, with so many worker processes.

    A finished result on disk means that its run is done. A run that fails leaves its reason, and the others go on.
    Raises RequestError for all that is wrong with the request, before any training.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_names(study, data)
    settle_study(study, folder)
    plan = settle_plan(folder, device, workers)
    ready = yield from ready_data(study, folder, data, cache)
    job = partial(_job, ready, plan, folder)
    queues, done = open_queues(study, folder, job)
    waiting = [Run(cell=c, recipe=study.recipe, seed=s) for c, queue in queues.items() for s in queue.seeds]
    yield Planned(tuple(waiting), tuple(done), sum(len(queue.trials) for queue in queues.values()))
    if waiting:
        with open_workers(workers) as crew:
            for event in _work(queues, crew, job):
                if isinstance(event, Failed):
                    write_failure(run_folder(folder, event.run), event.reason)
                yield event
    for title, one in ready.items():
        write_overlays(folder, title, one, study)
    yield from time_networks(study, folder, ready, plan)


def _job(ready: dict[str, Ready], plan: Plan, folder: Path, run: Run) -> Job:
    one = ready[run.cell.dataset.title]
    return Job(run, one.prepared.folder, one.prepared.content, one.split, plan, folder)


def _work(queues: Queues, crew: Workers, job: "partial[Job]") -> Iterator[Event]:
    """Keep every process busy until nothing waits and nothing is in flight."""
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

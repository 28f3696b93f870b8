"""A study from its file to its results: a generator of events that does the work as they are drawn from it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from nestbench.cluster.crew import open_cluster
from nestbench.cluster.join import find_cluster
from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.machine.device import gpus
from nestbench.results.owner import refuse_changed
from nestbench.results.places import run_folder
from nestbench.results.records import write_failure
from nestbench.runner.data import make_job, ready_data, write_data
from nestbench.runner.drive import Driver
from nestbench.runner.events import Event, Failed, Planned, Preparing, Timing, Told, Twinned
from nestbench.runner.means import Means
from nestbench.runner.overlays import write_overlays
from nestbench.runner.queue import find_done, open_queues
from nestbench.runner.settle import alone, check_extras, check_names, runs_here, settle_plan, write_settled
from nestbench.runner.status import finished
from nestbench.runner.timing import time_networks
from nestbench.searches.store import Store, new_store
from nestbench.study.schema import Run, Study
from nestbench.work.messages import Crew
from nestbench.work.workers import open_workers

Stop = Callable[[], bool]


def run_study(study: Study, folder: Path, means: Means, stop: Stop = lambda: False) -> Iterator[Event]:
    """Run what is not done yet of a study into ``folder``.

    A finished result on disk means that its run is done. A run that fails leaves its reason, and the others go on. Once
    ``stop`` says True, runs in flight write their checkpoints, and the events end.
    Raises RequestError for all that is wrong with the request, before any training.
    """
    check_extras(means)
    if means.cluster and not finished(study, folder):
        find_cluster(means.cluster)  # before networks are built and weights fetched, which takes longer
    check_names(study, means.data)
    with alone(folder):
        for event in _run(study, folder, means, stop):
            yield event
            # Runs at work are asked to let go; all else is made anew the next time.
            if stop() and isinstance(event, Preparing | Twinned | Planned | Timing):
                return


def _run(study: Study, folder: Path, means: Means, stop: Stop) -> Iterator[Event]:
    """Check everything first, then write: a request that is refused leaves the results as they were."""
    refuse_changed(study, folder)
    with closing(new_store(folder, means.storage)) as store:
        yield from _with_store(study, folder, means, stop, store)


def _with_store(study: Study, folder: Path, means: Means, stop: Stop, store: Store) -> Iterator[Event]:
    """The study, once it is known where its searches are shown."""
    plan = settle_plan(folder, means.device, runs_here(means), means.precision, means.cache)
    ready = yield from ready_data(study, means.data, means.cache)
    job = partial(make_job, ready, plan, folder, tensorboard=means.tensorboard, every=means.every)
    found = find_done(study, folder, job)
    done = [run for one in found.values() for run, _ in one.seeds.values()]
    everything = len(found) * study.seeds
    with open_crew(means, plan, folder) if len(done) < everything else nullcontext() as crew:
        write_settled(study, plan, folder)
        write_data(ready, folder)
        queues = open_queues(study, folder, found, store)
        waiting = [Run(cell=c, recipe=study.recipe, seed=s) for c, queue in queues.items() for s in queue.seeds]
        yield Planned(tuple(waiting), tuple(done), sum(len(queue.trials) for queue in queues.values()))
        if crew is not None:
            driver = Driver(queues, crew, job, retries=means.retries, silence=means.silence, stop=stop)
            yield from noted(driver.events(), folder, store)
    if stop():
        return
    for title, one in ready.items():
        write_overlays(folder, title, one, study)
    yield from time_networks(study, folder, ready, plan)


def noted(events: Iterator[Event], folder: Path, store: Store) -> Iterator[Event]:
    """Put down why runs failed, and tell what became of the store."""
    for event in events:
        if isinstance(event, Failed):
            with suppress(OSError, RequestError):  # on a full disk the reason is said, and not kept
                write_failure(run_folder(folder, event.run), event.reason)
        yield event
        if said := store.news():
            yield Told(said)


def open_crew(means: Means, plan: Plan, folder: Path) -> AbstractContextManager[Crew]:
    """Those who do a study's runs, by its plan."""
    if means.cluster:
        return open_cluster(means.cluster, plan, (folder, means.cache), means.workers, means.per_gpu)
    here = replace(means, device=plan.device)  # which the study began on, whatever else is here
    return open_workers(runs_here(here), gpus=gpus() if plan.device == "cuda" else ())

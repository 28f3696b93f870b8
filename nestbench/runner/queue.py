"""What is still to be done for each cell: the search's trials first, then the seeds with the best trial's recipe."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nestbench.errors import RequestError
from nestbench.results.records import Epoch, Result, cell_folder, read_result, run_folder
from nestbench.runner.job import Job
from nestbench.runner.search import CellSearch, finished_trials, new_store
from nestbench.study.schema import Cell, Run, Study

_WORDS = {
    "data": "the data set's content",
    "split": "the split",
    "plan": "device or precision",
    "run": "the cell or the recipe",
}


@dataclass
class CellQueue:
    """A cell's runs that wait, and its trials that are at work."""

    search: CellSearch
    trials: deque[int]
    seeds: deque[int]
    flying: set[Run] = field(default_factory=set)

    def next(self) -> Run | None:
        """The next run to start; None while the last trials are at work, and when nothing is left."""
        if self.trials:
            run = self.search.ask(self.trials.popleft())
            self.flying.add(run)
            return run
        if self.flying or not self.seeds or self.search.best is None:
            return None
        run = Run(cell=self.search.cell, recipe=self.search.best, seed=self.seeds.popleft())
        self.search.begin(run)
        return run

    def advance(self, run: Run, epoch: Epoch) -> bool:
        """Hear of an epoch; True where the run should stop."""
        return self.search.advance(run, epoch)

    def close(self, run: Run, result: Result | None) -> None:
        """Hear of a run's end."""
        self.flying.discard(run)
        self.search.tell(run, result)

    def hopeless(self) -> Iterator[Run]:
        """The seeds that can never start, because every trial of the search failed; they leave the queue."""
        while self.seeds and not self.trials and not self.flying and self.search.best is None:
            yield Run(cell=self.search.cell, recipe=self.search.recipe, seed=self.seeds.popleft())


def open_queues(study: Study, folder: Path, job: Callable[[Run], Job]) -> tuple[dict[Cell, CellQueue], list[Run]]:
    """A queue for each cell, filled with what has no result on disk yet, and the seeds' runs that have one.

    Raises RequestError for a result that this study, its data or its plan would not give.
    """
    store, queues, done = new_store(folder), {}, []
    for cell in study.cells():
        search = CellSearch(study, cell, store)
        tried = finished_trials(folder, cell, study.search) if study.search else {}
        seeded = {seed: found for seed in range(study.seeds) if (found := _finished(folder, cell, seed))}
        for run, result in (*tried.values(), *seeded.values()):
            _refuse_other(result, job(_expected(study, cell, run)))
            search.restore(run, run_folder(folder, run), result)
        trials = study.search.trials if study.search and len(seeded) < study.seeds else 0
        queues[cell] = CellQueue(search, _missing(trials, tried), _missing(study.seeds, seeded))
        done += [run for run, _ in seeded.values()]
    return queues, done


def _finished(folder: Path, cell: Cell, seed: int) -> tuple[Run, Result] | None:
    result = read_result(cell_folder(folder, cell) / f"seed-{seed}")
    return (Run.model_validate(result.identity["run"]), result) if result else None


def _expected(study: Study, cell: Cell, found: Run) -> Run:
    """The run that this study would make in place of a finished one; only what was searched is taken from that."""
    searched = study.search.space if study.search else ()
    recipe = study.recipe.model_copy(update={key: getattr(found.recipe, key) for key in searched})
    return found.model_copy(update={"cell": cell, "recipe": recipe})


def _missing(count: int, found: dict[int, tuple[Run, Result]]) -> deque[int]:
    return deque(number for number in range(count) if number not in found)


def _refuse_other(result: Result, job: Job) -> None:
    # A key that a later version adds to the recipe has its default in older results: those stay true.
    found = result.identity | {"run": Run.model_validate(result.identity["run"]).model_dump(mode="json")}
    changed = [_WORDS[key] for key, value in job.identity.items() if found.get(key) != value]
    if changed:
        raise RequestError(
            f"the finished result of {job.run} was made with another state of {', '.join(changed)}; "
            "give the study a new name, or move its results away"
        )

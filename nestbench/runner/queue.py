"""What is still to be done for each cell: the search's trials first, then the seeds with the best trial's recipe."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nestbench import __version__
from nestbench.errors import RequestError
from nestbench.results.atomic import sweep
from nestbench.results.importance import read_importance, write_importance
from nestbench.results.places import cell_folder, run_folder, trial_folder
from nestbench.results.reading import naming
from nestbench.results.records import WEIGHTS, Epoch, Result, intact, read_begun, read_result, tidy, write_begun
from nestbench.searches.search import SEARCH_SEED, CellSearch
from nestbench.searches.store import Store
from nestbench.study.schema import Cell, Run, Study
from nestbench.work.job import Job

Finished = tuple[Run, Result]

_WORDS = {
    "data": "the data set's content",
    "split": "the split",
    "plan": "device or precision",
    "weights": "the file of pretrained weights",
    "run": "the cell, the seed or the recipe",
}


@dataclass
class CellQueue:
    """A cell's runs that wait, and its trials that are at work."""

    search: CellSearch
    folder: Path
    """The study's."""
    trials: deque[int]
    seeds: deque[int]
    flying: set[Run] = field(default_factory=set)

    def next(self) -> Run | None:
        """The next run to start; None while the last trials are at work, and when nothing is left."""
        if self.trials:
            return self._trial(self.trials.popleft())
        if self.flying or not self.seeds or self.search.best is None:
            return None
        run = Run(cell=self.search.cell, recipe=self.search.best, seed=self.seeds.popleft())
        self.search.begin(run)
        return run

    def _trial(self, number: int) -> Run:
        """A trial of the search, with the recipe that it was begun with if it was stopped."""
        place = trial_folder(self.folder, self.search.cell, number)
        run = self.search.ask(number, read_begun(place))
        with suppress(OSError, RequestError):  # a disk that is full ends the run itself, which says so
            write_begun(place, run)
        self.flying.add(run)
        return run

    def advance(self, run: Run, epoch: Epoch) -> bool:
        """Hear of an epoch; True where the run should stop."""
        return self.search.advance(run, epoch)

    def close(self, run: Run, result: Result | None) -> None:
        """Hear of a run's end."""
        self.flying.discard(run)
        self.search.tell(run, result)
        if run.trial is not None:
            self.weigh()

    def weigh(self) -> None:
        """Once every trial has ended, put down how much each searched key decided."""
        cell = cell_folder(self.folder, self.search.cell)
        if not self.trials and not self.flying and (said := self.search.importance()) is not None:
            with suppress(OSError, RequestError):  # on a full disk: the next start makes it again
                write_importance(cell, said)

    def hopeless(self) -> Iterator[Run]:
        """The seeds that can never start, because every trial of the search failed; they leave the queue."""
        while self.seeds and not self.trials and not self.flying and self.search.best is None:
            yield Run(cell=self.search.cell, recipe=self.search.recipe, seed=self.seeds.popleft())


Queues = dict[Cell, CellQueue]


@dataclass(frozen=True)
class Done:
    """What of a cell lies finished on disk: its search's trials and its seeds, by number."""

    trials: dict[int, Finished]
    seeds: dict[int, Finished]


def find_done(study: Study, folder: Path, job: Callable[[Run], Job]) -> dict[Cell, Done]:
    """What is finished of each cell.

    Raises RequestError for a result that this study, its data or its plan would not give.
    """
    found = {}
    for cell in study.cells():
        trials = [Run(cell=cell, recipe=study.recipe, seed=SEARCH_SEED, trial=n) for n in range(_trials(study))]
        seeds = [Run(cell=cell, recipe=study.recipe, seed=seed) for seed in range(study.seeds)]
        both = [[_finished(study, folder, run, job) for run in runs] for runs in (trials, seeds)]
        found[cell] = Done(*({n: one for n, one in enumerate(side) if one} for side in both))
    return found


def open_queues(study: Study, folder: Path, found: dict[Cell, Done], store: Store) -> Queues:
    """A queue for each cell of what is not finished; the store is brought up to what is."""
    queues = {}
    for cell, done in found.items():
        sweep(cell_folder(folder, cell))
        search = CellSearch(study, cell, store)
        for run, result in (*done.trials.values(), *done.seeds.values()):
            tidy(run_folder(folder, run))
            search.restore(run, run_folder(folder, run), result)
        # Once a seed is finished its recipe is the cell's: trials that failed before would only mix two recipes.
        trials = 0 if done.seeds else _trials(study)
        queues[cell] = CellQueue(search, folder, _missing(trials, done.trials), _missing(study.seeds, done.seeds))
        if done.trials and read_importance(cell_folder(folder, cell)) is None:
            queues[cell].weigh()
    return queues


def _trials(study: Study) -> int:
    return study.search.trials if study.search else 0


def _missing(count: int, found: dict[int, Finished]) -> deque[int]:
    return deque(number for number in range(count) if number not in found)


def _finished(study: Study, folder: Path, run: Run, job: Callable[[Run], Job]) -> Finished | None:
    """The run as it was made, with its result, where it is finished and is what this study would make."""
    place = run_folder(folder, run)
    result = read_result(place)
    if result is None:
        return None
    with naming(place / "result.json"):
        made = Run.model_validate(result.identity["run"])
    searched = study.search.space if study.search else ()
    recipe = run.recipe.model_copy(update={key: getattr(made.recipe, key) for key in searched})
    expected = job(run.model_copy(update={"recipe": recipe}))
    # A key that a later version adds to the recipe has its default in older results: those stay true.
    identity = result.identity | {"run": made.model_dump(mode="json")}
    changed = [_WORDS[key] for key, value in expected.identity.items() if identity.get(key) != value]
    if changed:
        raise RequestError(
            f"the finished result of {run} was made with another state of {', '.join(changed)}; "
            "give the study a new name, or move its results away"
        )
    _own(run, place, result)
    return made, result


def _own(run: Run, place: Path, result: Result) -> None:
    """Raise RequestError for a result of a version that may count otherwise, and for weights that are not the run's."""
    maker = result.environment.get("nestbench", __version__)
    if maker.split(".")[:2] != __version__.split(".")[:2]:
        raise RequestError(
            f"the finished result of {run} was made with nestbench {maker}, and this is {__version__}: "
            "go on with that version, give the study a new name, or move its results away"
        )
    if (place / WEIGHTS).exists():
        with intact(place / WEIGHTS, result):
            pass

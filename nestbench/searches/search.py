"""Optuna's part in a cell: which recipes to try, which trial to stop early, and which recipe is best.

The files of results are the truth. What Optuna knows of a cell is made from them in memory at every start, and all
that it decides is decided there; the store, which others watch, is told of it.
"""

import hashlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from nestbench.results.importance import Importance
from nestbench.results.records import Epoch, Result, read_epochs
from nestbench.searches.importance import importance
from nestbench.searches.samplers import Values, distributions, planned, sampler, stopper
from nestbench.searches.shelf import LABEL, Row
from nestbench.searches.store import Store
from nestbench.study.schema import Cell, Recipe, Run, Study
from nestbench.study.space import holds

SEARCH_SEED = 1_000_000
"""Seed of a search's runs: none of the seeds that are reported."""


@dataclass
class _Flight:
    """A run at work, and by epoch whether it was told to stop; Optuna judges the search's trials only."""

    row: Row
    trial: Trial | None
    answers: dict[int, bool] = field(default_factory=dict)


class CellSearch:
    """One cell's search: asks for trials, is told their outcome, and gives the best recipe.

    What a trial tries is a function of the cell's name, the trial's number, and the trials that ended before or are at
    work: with one worker a search is the same each time, wherever it was stopped and started again.
    """

    def __init__(self, study: Study, cell: Cell, store: Store) -> None:
        self.recipe, self.cell, self._search, self._store = study.recipe, cell, study.search, store
        self._space = distributions(study.search.space) if study.search else {}
        self._shelf = store.shelf(study.name, cell.key)
        self._seed = int(hashlib.sha256(f"{study.name}/{cell}".encode()).hexdigest()[:8], 16)
        pruner = stopper(study.search, study.recipe.epochs) if study.search else None
        # A trial's bracket in hyperband goes by the name and its number.
        self._study = optuna.create_study(study_name=self._shelf.name, direction="maximize", pruner=pruner)
        self._flying: dict[Run, _Flight] = {}
        self._finished: dict[int, tuple[Recipe, float]] = {}
        self._decided = None if study.search else study.recipe

    def restore(self, run: Run, folder: Path, result: Result) -> None:
        """Enter a finished run as if it had just been at work."""
        row = self._row(run)
        row.curve = {epoch.index: epoch.validation_iou for epoch in read_epochs(folder)}
        row.state, row.value = TrialState.COMPLETE, result.validation
        if run.trial is not None:
            told = self._replay(row, result)
            row.state, row.value = told.state, told.value
        self._store.keep(self._shelf, row)
        self._remember(run, result)

    def ask(self, number: int, recipe: Recipe | None = None) -> Run:
        """Give the cell's trial of that number, with the recipe that it was begun with before, or else a new one.

        A recipe that this search does not give, because the study was another when it was begun, is passed over.
        """
        if recipe is not None and self._gives(recipe):
            trial = self._enter(self._values(recipe))
        else:
            trial = self._suggest(number)
        found = Recipe.model_validate(self.recipe.model_dump() | trial.params)
        run = Run(cell=self.cell, recipe=found, seed=SEARCH_SEED, trial=number)
        self._fly(run, trial)
        return run

    def begin(self, run: Run) -> None:
        """Hear that a run of a reported seed begins, whose recipe is decided."""
        self._fly(run, None)

    def advance(self, run: Run, epoch: Epoch) -> bool:
        """Hear of an epoch; True where the stopper wants this trial to end. A reported seed is never stopped.

        A run that goes on from a checkpoint says its earlier epochs again, and is answered as before.
        """
        flight = self._flying[run]
        if epoch.index not in flight.answers:
            self._store.report(self._shelf, flight.row, epoch.index, epoch.validation_iou)
            flight.answers[epoch.index] = flight.trial is not None and _judged(flight.trial, epoch)
        return flight.answers[epoch.index]

    def tell(self, run: Run, result: Result | None) -> None:
        """Close a run with its result, or with None where it failed."""
        flight = self._flying.pop(run)
        state, value = (TrialState.FAIL, None) if result is None else (TrialState.COMPLETE, result.validation)
        if flight.trial is not None:
            told = self._close(flight.trial, result)
            state, value = told.state, told.value
        self._store.end(self._shelf, flight.row, state, value)
        if result is not None:
            self._remember(run, result)

    @property
    def best(self) -> Recipe | None:
        """What the seeds are trained with; None where every trial failed.

        That is what finished seeds were trained with, else the best finished trial's recipe (of equals the first);
        without a search it is the study's own.
        """
        if self._decided is not None:
            return self._decided
        if not self._finished:
            return None
        return self._finished[min(self._finished, key=lambda number: (-self._finished[number][1], number))][0]

    def importance(self) -> Importance | None:
        """How much each searched key decides, or None where too few trials were trained to their end to say."""
        return importance(self._space, self._told())

    def _suggest(self, number: int) -> Trial:
        assert self._search is not None
        seed = (self._seed + number) % 2**32
        self._study.sampler = sampler(self._search, seed)
        return self._enter(planned(self._search, number, self._told(), seed))

    def _enter(self, values: Values | None) -> Trial:
        """Begin a trial with these values, or with what the sampler suggests."""
        if values is not None:
            self._study.enqueue_trial(values)
        return self._study.ask(self._space)

    def _replay(self, row: Row, result: Result) -> FrozenTrial:
        trial = self._enter(row.params)
        for epoch, value in row.curve.items():
            trial.report(value, epoch)
            if self._search is not None and self._search.stopper == "hyperband":
                trial.should_prune()  # it notes in the trial how far that came
        return self._close(trial, result)

    def _close(self, trial: Trial, result: Result | None) -> FrozenTrial:
        if result is None:
            return self._study.tell(trial, state=TrialState.FAIL)
        if result.stopped == "stopper":
            return self._study.tell(trial, state=TrialState.PRUNED)
        return self._study.tell(trial, result.validation)

    def _fly(self, run: Run, trial: Trial | None) -> None:
        row = self._row(run)
        self._flying[run] = _Flight(row, trial)
        self._store.begin(self._shelf, row)

    def _row(self, run: Run) -> Row:
        attributes = {LABEL: run.label, "seed": run.seed, "recipe": run.recipe.model_dump(mode="json")}
        return Row(attributes, self._values(run.recipe), self._space)

    def _values(self, recipe: Recipe) -> Values:
        return {key: getattr(recipe, key) for key in self._space}

    def _gives(self, recipe: Recipe) -> bool:
        values = self._values(recipe)
        same = Recipe.model_validate(self.recipe.model_dump() | values) == recipe
        return self._search is not None and same and holds(self._search.space, values)

    def _told(self) -> list[tuple[Values, float]]:
        return [(self._values(recipe), value) for _, (recipe, value) in sorted(self._finished.items())]

    def _remember(self, run: Run, result: Result) -> None:
        if run.trial is None:
            self._decided = run.recipe
        elif result.stopped != "stopper":
            self._finished[run.trial] = (run.recipe, result.validation)


def _judged(trial: Trial, epoch: Epoch) -> bool:
    trial.report(epoch.validation_iou, epoch.index)
    with warnings.catch_warnings():
        # The Wilcoxon stopper passes over epochs that the best trial did not come to, as it should, and warns of it.
        warnings.simplefilter("ignore", UserWarning)
        return bool(trial.should_prune())

"""Optuna's part in a cell: which recipes to try, which trial to stop early, and which recipe is best.

The files of results are the truth. A cell's Optuna study is rebuilt from them at every start, so a lost or
damaged store costs nothing; what Optuna's dashboard opens is always what the results say.
"""

import hashlib
from pathlib import Path
from typing import Any, get_args

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sqlalchemy import URL

from nestbench.results.records import Epoch, Result, read_epochs
from nestbench.study.schema import Cell, Recipe, Run, Span, Study

SEARCH_SEED = 1_000_000
"""Seed of a search's runs: none of the seeds that are reported."""


class CellSearch:
    """One cell's Optuna study: asks for trials, is told their outcome, and gives the best recipe.

    The sampler is seeded anew for each trial from the cell's name and the trial's number, so that what it suggests
    depends only on the trials finished before, not on when the study was stopped and started again.
    """

    def __init__(self, study: Study, cell: Cell, storage: optuna.storages.BaseStorage) -> None:
        self.recipe, self._search, self.cell = study.recipe, study.search, cell
        self._seed = int(hashlib.sha256(f"{study.name}/{cell}".encode()).hexdigest()[:8], 16)
        self._study = optuna.create_study(
            storage=storage, study_name=str(cell), direction="maximize", pruner=_stopper(study)
        )
        self._trials: dict[Run, optuna.trial.Trial] = {}
        self._values: dict[int, tuple[float, Recipe]] = {}
        self._decided = None if study.search else study.recipe

    def restore(self, run: Run, folder: Path, result: Result) -> None:
        """Enter a finished run into Optuna's store."""
        epochs = read_epochs(folder)
        state = TrialState.PRUNED if result.stopped == "stopper" else TrialState.COMPLETE
        self._study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=result.validation,
                params={key: getattr(run.recipe, key) for key in self._space} if run.trial is not None else {},
                distributions=self._space if run.trial is not None else {},
                intermediate_values={e.index: e.validation_iou for e in epochs},
                user_attrs={"run": run.label},
            )
        )
        self._remember(run, result)

    def ask(self, number: int) -> Run:
        """Give the cell's trial of that number: the recipe with what the sampler suggests."""
        self._study.sampler = self._sampler(number)
        trial = self._study.ask(self._space)
        recipe = Recipe.model_validate(self.recipe.model_dump() | trial.params)
        run = Run(cell=self.cell, recipe=recipe, seed=SEARCH_SEED, trial=number)
        self._enter(run, trial)
        return run

    def begin(self, run: Run) -> None:
        """Enter a run of a reported seed, whose recipe is decided."""
        self._enter(run, self._study.ask())

    def advance(self, run: Run, epoch: Epoch) -> bool:
        """Report an epoch; True where the stopper wants this trial to end. A reported seed is never stopped."""
        self._trials[run].report(epoch.validation_iou, epoch.index)
        return run.trial is not None and self._trials[run].should_prune()

    def tell(self, run: Run, result: Result | None) -> None:
        """Close a run with its result, or with None where it failed."""
        trial = self._trials.pop(run)
        if result is None:
            self._study.tell(trial, state=TrialState.FAIL)
        elif result.stopped == "stopper":
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, result.validation)
        if result is not None:
            self._remember(run, result)

    @property
    def best(self) -> Recipe | None:
        """What the seeds are trained with; None where every trial failed.

        That is what finished seeds were trained with, else the best finished trial's recipe; without a search it is
        the study's own.
        """
        if self._decided is not None:
            return self._decided
        return max(self._values.values(), key=lambda v: v[0])[1] if self._values else None

    @property
    def _space(self) -> dict[str, BaseDistribution]:
        return {key: _distribution(key, span) for key, span in self._search.space.items()} if self._search else {}

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        seed = (self._seed + number) % 2**32
        if self._search and self._search.sampler == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed)

    def _enter(self, run: Run, trial: optuna.trial.Trial) -> None:
        trial.set_user_attr("run", run.label)
        self._trials[run] = trial

    def _remember(self, run: Run, result: Result) -> None:
        if run.trial is None:
            self._decided = run.recipe
        elif result.stopped != "stopper":
            self._values[run.trial] = (result.validation, run.recipe)


def new_store(folder: Path) -> optuna.storages.BaseStorage:
    """An empty SQLite store in the study's folder, to be filled from the results on disk."""
    path = folder / "optuna.db"
    path.unlink(missing_ok=True)
    return optuna.storages.RDBStorage(URL.create("sqlite", database=str(path)).render_as_string())


def _stopper(study: Study) -> optuna.pruners.BasePruner:
    kind = study.search.stopper if study.search else "none"
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=study.recipe.epochs // 10)
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=study.recipe.epochs)
    return optuna.pruners.NopPruner()


def _distribution(key: str, span: Span | list[Any]) -> BaseDistribution:
    if not isinstance(span, Span):
        return CategoricalDistribution(span)
    annotation = Recipe.model_fields[key].annotation
    if annotation is int or int in get_args(annotation):
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)

import math
from itertools import takewhile

import optuna
import pytest

from nestbench.results.records import Epoch, Result, write_epochs
from nestbench.searches.search import CellSearch
from nestbench.searches.store import Store
from nestbench.study.schema import Recipe, Run, Study

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "patience": {"low": 2, "high": 9},
    "batch": [4, 8, 16],
    "loss": ["dice", "bce-dice"],
}
GRID = {"batch": [4, 8, 16], "patience": {"low": 3, "high": 6}}
SPACES = {"grid": GRID}
"""What each sampler searches, where that is not ``SPACE``."""


def study(sampler="random", trials=12, stopper="none", space=None, **changes):
    search = {"trials": trials, "sampler": sampler, "stopper": stopper, "space": space or SPACES.get(sampler, SPACE)}
    content = {"name": "s", "datasets": [{"name": "synthetic"}], "models": ["unet"], "recipe": {"epochs": 9}}
    return Study.model_validate(content | {"search": search} | changes)


def worth(recipe):
    """A recipe's final validation IoU: best at a learning rate of 0.05, and a little better with more patience."""
    return 0.8 - 0.1 * math.log10(recipe.learning_rate / 0.05) ** 2 + recipe.patience / 100 + recipe.batch / 1000


def curve(recipe):
    return [Epoch(i, 1.0, 1.0, worth(recipe) * (i + 1) / recipe.epochs, True, 1.0) for i in range(recipe.epochs)]


class Simulation:
    """One worker that trains nothing, on the files of its results."""

    def __init__(self, asked, folder):
        self.asked, self.folder, self.done = asked, folder, []
        self.open()

    def open(self):
        """Start the coordinator, perhaps not for the first time: all it has are the files."""
        store = Store(optuna.storages.InMemoryStorage(), "memory", self.folder)
        self.search = CellSearch(self.asked, next(self.asked.cells()), store)
        for run, result in self.done:
            self.search.restore(run, self.folder / run.label, result)

    def train(self, run, says=()):
        """Do a run that was begun, after the epochs that lie behind it; what was said of it in the end."""
        said = list(says)
        for epoch in curve(run.recipe)[len(said) :]:
            said.append(epoch)
            if self.search.advance(run, epoch):
                break
        stopped = len(said) < run.recipe.epochs
        result = Result({}, "L4", said[-1].validation_iou, 0, len(said), "stopper" if stopped else "epochs", 1, 1.0)
        (self.folder / run.label).mkdir(parents=True)
        write_epochs(self.folder / run.label, said)
        self.search.tell(run, result)
        self.done.append((run, result))

    def outcome(self):
        return [(run.trial, run.recipe, result.epochs) for run, result in self.done]


def whole(asked, folder):
    one = Simulation(asked, folder)
    for number in range(asked.search.trials):
        one.train(one.search.ask(number))
    return one


CASES = [(sampler, "none") for sampler in ("tpe", "random", "grid", "cmaes", "gp")]
CASES += [(sampler, stopper) for sampler in ("random", "tpe") for stopper in ("median", "hyperband", "wilcoxon")]


@pytest.mark.parametrize(("sampler", "stopper"), CASES)
def test_a_search_that_is_started_anew_before_each_trial_is_the_search_that_never_was(tmp_path, sampler, stopper):
    asked = study(sampler, trials=14 if sampler in ("tpe", "gp") else 12, stopper=stopper)
    unbroken = whole(asked, tmp_path / "unbroken")
    broken = Simulation(asked, tmp_path / "broken")
    for number in range(asked.search.trials):
        broken.open()
        broken.train(broken.search.ask(number))
    assert broken.outcome() == unbroken.outcome()
    assert broken.search.best == unbroken.search.best
    assert any(epochs < 9 for *_, epochs in unbroken.outcome()) == (stopper != "none")


@pytest.mark.parametrize("stopper", ["none", "median", "hyperband", "wilcoxon"])
@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_trial_that_was_killed_goes_on_with_its_own_recipe_and_the_search_as_if_nothing_was(
    tmp_path, sampler, stopper
):
    asked = study(sampler, trials=12, stopper=stopper)
    unbroken = whole(asked, tmp_path / "unbroken")
    killed = Simulation(asked, tmp_path / "killed")
    for number in range(asked.search.trials):
        run = killed.search.ask(number)
        if number % 3 == 1:  # its coordinator is gone after four epochs, or before the stopper ends it
            behind = list(takewhile(lambda e, run=run: not killed.search.advance(run, e), curve(run.recipe)[:4]))
            killed.open()
            assert killed.search.ask(number, run.recipe) == run
            for epoch in behind:  # said again from the checkpoint
                killed.search.advance(run, epoch)
            killed.train(run, behind)
        else:
            killed.train(run)
    assert killed.outcome() == unbroken.outcome()


@pytest.mark.parametrize(
    "other",
    [
        Recipe(epochs=8, learning_rate=1e-2, patience=3, batch=4),
        Recipe(epochs=9, learning_rate=1.0, patience=3, batch=4),
        Recipe(epochs=9, learning_rate=1e-2, patience=3, batch=5),
    ],
    ids=["of another study", "out of range", "no choice"],
)
def test_a_recipe_that_the_search_does_not_give_is_passed_over(tmp_path, other):
    begun, fresh = (Simulation(study(), tmp_path) for _ in range(2))
    assert begun.search.ask(0, other) == fresh.search.ask(0)


def test_an_epoch_that_is_said_again_is_answered_as_it_was(tmp_path):
    one = whole(study(stopper="wilcoxon", trials=3), tmp_path)
    run = one.search.ask(3, one.done[0][0].recipe)
    low = [Epoch(i, 1.0, 1.0, 0.01, False, 1.0) for i in range(9)]
    answers = [one.search.advance(run, epoch) for epoch in low]
    assert True in answers
    assert [one.search.advance(run, epoch) for epoch in low] == answers


def test_the_wilcoxon_stopper_ends_what_lies_below_the_best_at_every_epoch_and_no_other(tmp_path):
    one = whole(study(stopper="wilcoxon", trials=1), tmp_path)
    best = [e.validation_iou for e in curve(one.done[0][0].recipe)]
    for number, (shift, ends) in enumerate([(-0.05, True), (0.05, False), (0.0, False)], start=1):
        run = one.search.ask(number)
        said = [one.search.advance(run, Epoch(i, 1.0, 1.0, v + shift, True, 1.0)) for i, v in enumerate(best)]
        assert any(said) == ends
        one.search.tell(run, None)


def test_the_wilcoxon_stopper_passes_over_epochs_that_the_best_trial_did_not_come_to(tmp_path):
    one = Simulation(study(stopper="wilcoxon"), tmp_path)
    best = one.search.ask(0)
    for index in range(3):
        one.search.advance(best, Epoch(index, 1.0, 1.0, 0.5 + index / 10, True, 1.0))
    one.search.tell(best, Result({}, "L4", 0.7, 2, 3, "patience", 1, 1.0))
    longer = one.search.ask(1)
    assert not any(one.search.advance(longer, Epoch(i, 1.0, 1.0, 0.55 + i / 10, True, 1.0)) for i in range(9))


def test_a_grid_is_tried_whole_and_each_point_once(tmp_path):
    tried = [(run.recipe.batch, run.recipe.patience) for run, _ in whole(study("grid"), tmp_path).done]
    assert sorted(tried) == [(batch, patience) for batch in (4, 8, 16) for patience in (3, 4, 5, 6)]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_a_sampler_that_learns_ends_nearer_to_the_best_than_it_began(tmp_path, sampler):
    space = {"learning_rate": SPACE["learning_rate"]}
    done = whole(study(sampler, trials=24, space=space), tmp_path).done
    far = [abs(math.log10(run.recipe.learning_rate / 0.05)) for run, _ in done]
    assert sum(far[-6:]) < sum(far[:6]) * 2 / 3


def test_cells_search_on_their_own(tmp_path):
    asked = study(models=["unet", "unet++"])
    store = Store(optuna.storages.InMemoryStorage(), "memory", tmp_path)
    first, second = (CellSearch(asked, cell, store).ask(0).recipe for cell in asked.cells())
    assert first != second


def test_of_trials_that_did_equally_well_the_first_is_chosen_whichever_ended_first(tmp_path):
    one = Simulation(study(), tmp_path)
    runs = [one.search.ask(number) for number in range(3)]
    for run in (runs[2], runs[0], runs[1]):
        one.search.tell(run, Result({}, "L4", 0.5, 0, 1, "epochs", 1, 1.0))
    assert one.search.best == runs[0].recipe


def test_a_trial_that_failed_teaches_nothing_and_is_not_chosen(tmp_path):
    one = Simulation(study(), tmp_path)
    one.search.tell(one.search.ask(0), None)
    assert one.search.best is None
    one.train(one.search.ask(1))
    assert one.search.best == one.done[0][0].recipe


def test_what_its_seeds_were_trained_with_is_a_cells_recipe(tmp_path):
    one = whole(study(trials=3), tmp_path)
    other = one.done[0][0].recipe
    run = Run(cell=one.search.cell, recipe=other, seed=0)
    one.search.begin(run)
    assert not any(one.search.advance(run, Epoch(i, 1.0, 1.0, 0.0, False, 1.0)) for i in range(9))
    one.search.tell(run, Result({}, "L4", 0.1, 0, 9, "epochs", 1, 1.0))
    assert one.search.best == other

from types import SimpleNamespace

import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from small_search import CELL, cell_search, epoch, finish, result, told

from nestbench.searches.store import Store
from nestbench.study.schema import Run


class Flaky(optuna.storages.InMemoryStorage):
    """A database that is away when it is told so, before it heard what was asked or after."""

    def __init__(self):
        super().__init__()
        self.away, self.asked = "", 0
        self.engine = SimpleNamespace(dispose=lambda: None)


def _flaky(name):
    kept = getattr(optuna.storages.InMemoryStorage, name)

    def call(self, *arguments, **options):
        self.asked += 1
        if self.away == "before":
            raise StorageInternalError("commit") from ConnectionError("the server is gone\nfor now")
        answer = kept(self, *arguments, **options)
        if self.away == "after":
            raise StorageInternalError("commit") from ConnectionError("the server is gone\nfor now")
        return answer

    return call


for _name in (
    "create_new_study",
    "create_new_trial",
    "get_all_trials",
    "get_study_id_from_name",
    "set_study_user_attr",
    "set_trial_intermediate_value",
    "set_trial_state_values",
):
    setattr(Flaky, _name, _flaky(_name))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def flaky_store(folder):
    storage, clock = Flaky(), Clock()
    return storage, clock, Store(storage, "memory", folder, clock)


def live(search, between):
    """Four trials and a seed, two at a time; ``between`` is called between any two things that happen."""
    for first in (0, 2):
        runs = [(between(), search.ask(first + i))[1] for i in range(2)]
        for index in range(3):
            for run in runs:
                between()
                search.advance(run, epoch(index, 0.1 * index + run.trial / 100))
        for run in runs:
            between()
            search.tell(run, None if run.trial == 1 else result(0.5, "stopper" if run.trial == 2 else "epochs"))
    seed = Run(cell=search.cell, recipe=search.best, seed=0)
    between()
    search.begin(seed)
    between()
    finish(search, seed)


def test_a_trial_whose_beginning_was_written_but_never_confirmed_is_found_again(tmp_path):
    storage, clock, store = flaky_store(tmp_path)
    search = cell_search(store)
    first = search.ask(0)
    storage.away = "after"
    second = search.ask(1)
    storage.away, clock.now = "", 100.0
    for run in (first, second):
        finish(search, run)
    assert [one[:2] for one in told(storage)[CELL]] == [("trial-000", "COMPLETE"), ("trial-001", "COMPLETE")]


@given(st.lists(st.sampled_from(["", "", "before", "after"]), min_size=30, max_size=30), st.booleans())
def test_whenever_the_store_was_away_in_the_end_it_says_what_one_does_that_never_was(tmp_path_factory, states, slow):
    folder = tmp_path_factory.getbasetemp()
    steady, _, store = flaky_store(folder)
    live(cell_search(store), lambda: None)
    storage, clock, store = flaky_store(folder)
    moments = iter(states)

    def between():
        storage.away = next(moments)
        clock.now += 0.0 if slow else 100.0

    live(cell_search(store), between)
    storage.away = ""
    store.close()
    # An answer that was lost leaves a trial that nobody knows of: it does not stand as running.
    assert [one for one in told(storage)[CELL] if one[1] != "FAIL"] == [
        one for one in told(steady)[CELL] if one[1] != "FAIL"
    ]


def test_a_store_that_is_away_is_said_once_and_asked_less_and_less_often(tmp_path):
    storage, clock, store = flaky_store(tmp_path)
    search = cell_search(store)
    run = search.ask(0)
    assert store.news() == ""
    storage.away, tries = "before", []
    for index in range(400):
        clock.now, asked = float(index), storage.asked
        search.advance(run, epoch(index))
        if storage.asked > asked:
            tries.append(index)
    assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]
    said = store.news()
    assert said.startswith("the store 'memory' is lost (the server is gone): the study goes on without it")
    assert store.news() == ""
    storage.away, clock.now = "", 500.0
    search.tell(run, result())
    assert store.news() == "the store 'memory' is back, and says again all that happened"
    assert store.news() == ""
    (trial,) = storage.get_all_trials(0)
    assert (trial.state, len(trial.intermediate_values)) == (TrialState.COMPLETE, 400)

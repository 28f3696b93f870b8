import optuna
import pytest
from small_search import CELL, age, alter, cell_search, epoch, finish, result, study, told

from nestbench.errors import RequestError
from nestbench.results.records import write_epochs
from nestbench.searches.store import new_store
from nestbench.study.schema import Run


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def opened(tmp_path):
    """Open stores in a study's folder, and close them in the end."""
    stores = []

    def opened(url="", folder=tmp_path / "s"):
        folder.mkdir(exist_ok=True)
        stores.append(new_store(folder, url))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def open_url(folder):
    return optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")


def test_a_cell_stands_in_the_store_with_readable_names_and_all_that_a_run_was(opened, tmp_path):
    store = opened()
    search = cell_search(store)
    done, killed = search.ask(0), search.ask(1)
    finish(search, done, 0.7)
    search.advance(killed, epoch(0, 0.2))
    seed = Run(cell=search.cell, recipe=search.best, seed=3)
    search.begin(seed)
    finish(search, seed, 0.6)
    seen = optuna.load_study(study_name=CELL, storage=open_url(tmp_path / "s"))
    assert seen.user_attrs == {
        "study": "s",
        "data set": "synthetic",
        "encoder": "timm:resnet18",
        "model": "unet",
        "results": str(tmp_path / "s"),
    }
    assert [(t.user_attrs["run"], t.state.name, t.value) for t in seen.trials] == [
        ("trial-000", "COMPLETE", 0.7),
        ("trial-001", "RUNNING", None),
        ("seed-3", "COMPLETE", 0.6),
    ]
    trial = seen.trials[0]
    assert trial.params == {"batch": done.recipe.batch, "patience": done.recipe.patience}
    assert trial.user_attrs["recipe"] == done.recipe.model_dump(mode="json")
    assert trial.intermediate_values == {0: 0.7}
    assert seen.best_params == trial.params
    seen._storage._backend.engine.dispose()


def restored(opened, done, folder, asked=None):
    """A coordinator that starts again."""
    store = opened()
    search = cell_search(store, asked)
    for run, value in done:
        write_epochs(folder, [epoch(0, value)])
        search.restore(run, folder, result(value))
    return store, search


def test_a_study_that_is_started_again_leaves_what_stands_and_goes_on_with_what_was_killed(opened, tmp_path):
    store = opened()
    search = cell_search(store)
    done = finish(search, search.ask(0))
    killed, forgotten = search.ask(1), search.ask(2)
    search.advance(killed, epoch(0, 0.1))
    store.close()
    before = store._storage.get_all_trials(1)
    store, search = restored(opened, [(done, 0.5)], tmp_path)
    assert search.ask(1, killed.recipe) == killed
    search.advance(killed, epoch(0, 0.1))
    finish(search, killed, 0.4)
    after = store._storage.get_all_trials(1)
    assert after[0] == before[0]
    assert [t.state.name for t in after] == ["COMPLETE", "COMPLETE", "FAIL"]
    assert after[1].datetime_start == before[1].datetime_start
    assert after[1].value == 0.4
    assert after[2].user_attrs["run"] == forgotten.label


@pytest.mark.parametrize("state", ["gone", "another"])
def test_a_finished_run_that_the_results_do_not_know_is_not_left_standing(opened, tmp_path, state):
    store = opened()
    search = cell_search(store)
    runs = [finish(search, search.ask(number), 0.5) for number in range(2)]
    store.close()
    kept = runs[:1] if state == "gone" else runs
    restored(opened, [(run, 0.5 if run == runs[0] else 0.6) for run in kept], tmp_path)[0].close()
    assert [one[:3] for one in told(store._storage)[CELL]] == [
        (run.label, "COMPLETE", 0.5 if run == runs[0] else 0.6) for run in kept
    ]


@pytest.mark.parametrize("damage", ["text", "torn", "empty", "older", "foreign"])
def test_a_damaged_store_in_the_studys_folder_is_made_anew(opened, tmp_path, damage):
    store = opened()
    search = cell_search(store)
    done = finish(search, search.ask(0))
    store.close()
    expected, path = told(store._storage), tmp_path / "s" / "optuna.db"
    store._storage.engine.dispose()
    if damage in ("older", "foreign"):
        age(path, "v2.6.0.a" if damage == "older" else "v99")
    else:
        whole = path.read_bytes()
        path.write_bytes({"text": b"damaged" * 999, "torn": whole[: len(whole) // 2], "empty": b""}[damage])
    store, _ = restored(opened, [(done, 0.5)], tmp_path)
    store.close()
    assert told(store._storage) == expected


def test_studies_share_a_database_and_leave_each_other_alone(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    seen = []
    for name in ("a", "b", "a"):
        store = opened(url, tmp_path / name)
        search = cell_search(store, study(name=name))
        finish(search, search.ask(0), 0.1 * len(seen))
        store.close()
        seen.append(told(store._storage))
    first, second = (f"{name} / {CELL[4:]}" for name in "ab")
    assert [sorted(one) for one in seen] == [[first], [first, second], [first, second]]
    assert seen[2][second] == seen[1][second]
    assert seen[2][first] != seen[1][first]


def test_another_study_of_the_same_name_in_a_database_is_refused(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    store = opened(url)
    cell_search(store).ask(0)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(RequestError, match=r"holds a study 's' with results in '.*/s', not in '.*/elsewhere/s'"):
        opened(url, tmp_path / "elsewhere" / "s")


def test_a_store_that_is_damaged_while_the_study_runs_costs_the_store_and_not_the_run(opened, tmp_path):
    store = opened()
    search = cell_search(store)
    run = search.ask(0)
    alter(tmp_path / "s" / "optuna.db", "DROP TABLE trials")
    assert finish(search, run) == run
    assert "is lost (no such table: trials): the study goes on" in store.news()

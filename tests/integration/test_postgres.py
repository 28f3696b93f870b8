"""Optuna's store in a real PostgreSQL: Debian's, started here for the test, and restarted in the middle."""

import socket
from itertools import count

import optuna
import pytest

from benchmarks.servers import NO_POSTGRES, PG_CTL, postgres
from nestbench.errors import RequestError
from nestbench.results.records import Epoch, Result, write_epochs
from nestbench.searches.database import open_url
from nestbench.searches.search import CellSearch
from nestbench.searches.store import Store, new_store
from nestbench.study.schema import Study

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'nestbench[cluster]')")

pytestmark = pytest.mark.skipif(PG_CTL is None, reason=NO_POSTGRES)


@pytest.fixture(scope="module")
def server():
    with postgres() as server:
        yield server


@pytest.fixture
def database(server):
    """The server, with nothing in it."""
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server


@pytest.fixture
def opened(tmp_path):
    """Open stores of a study, and close them in the end."""
    stores = []

    def opened(url, name="s"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        stores.append(new_store(folder, url))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def searches(store, name="s"):
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "batch": [4, 8]}
    content = {"name": name, "datasets": [{"name": "synthetic"}], "models": ["unet", "unet++"]}
    asked = Study.model_validate(content | {"search": {"trials": 6, "stopper": "hyperband", "space": space}})
    return [CellSearch(asked, cell, store) for cell in asked.cells()]


def train(search, run, between=lambda: None):
    """A run that trains nothing: the smaller its rate of learning, the better."""
    for index in range(3):
        between()
        value = (1 - run.recipe.learning_rate) * (index + 1) / 3
        if search.advance(run, Epoch(index, 1.0, 1.0, value, True, 1.0)):
            break
    between()
    stopped = "stopper" if index < 2 else "epochs"
    search.tell(run, Result({}, "L4", value, index, index + 1, stopped, 1, 1.0))


def told(url, prefix="s / "):
    """What stands in the store: trials by cell and run."""
    storage = optuna.storages.RDBStorage(url)
    found = {}
    for study in storage.get_all_studies():
        if study.study_name.startswith(prefix):
            for t in storage.get_all_trials(study._study_id):
                said = (t.state.name, t.value, t.params, t.intermediate_values)
                found.setdefault((study.study_name, t.user_attrs["run"]), []).append(said)
    storage.engine.dispose()
    return found


def test_a_search_through_a_server_that_is_restarted_in_the_middle_loses_nothing(database, opened, tmp_path):
    for search in searches(unbroken := opened(f"sqlite:///{tmp_path / 'unbroken.db'}")):
        for trial in range(6):
            train(search, search.ask(trial))
    unbroken.close()
    minutes, moments, news = count(0.0, 60.0), count(), []
    store = Store(*open_url(database.url), tmp_path / "s", minutes.__next__)

    def between():
        moment = next(moments)
        if moment == 9:
            database.stop()
        if moment == 15:
            database.start()
        news.append(store.news())

    for search in searches(store):
        for trial in range(6):
            train(search, search.ask(trial), between)
    store.close()
    assert told(database.url) == told(f"sqlite:///{tmp_path / 'unbroken.db'}")
    assert all(len(said) == 1 for said in told(database.url).values())
    lost, back = [said for said in news if said]
    assert "is lost (" in lost
    assert "is back" in back
    assert "secret" not in lost + back


def test_a_restart_between_two_calls_is_not_even_noticed(database, opened):
    store = opened(database.url)
    search, _ = searches(store)
    run = search.ask(0)
    database.stop()
    database.start()
    train(search, run)
    assert store.news() == ""
    assert [said[0][0] for said in told(database.url).values()] == ["COMPLETE"]


def test_a_coordinator_that_starts_again_writes_nothing_twice_and_leaves_other_studies_alone(
    database, opened, tmp_path
):
    other = opened(database.url, "other")
    for search in searches(other, "other"):
        train(search, search.ask(0))
    store = opened(database.url)
    search, _ = searches(store)
    done, killed = search.ask(0), search.ask(1)
    train(search, done)
    before = told(database.url), told(database.url, "other / ")
    store = opened(database.url)  # the first is gone without a word
    search, _ = searches(store)
    ((_, value, _, curve),) = before[0][search._shelf.name, done.label]
    write_epochs(tmp_path, [Epoch(i, 1.0, 1.0, v, True, 1.0) for i, v in curve.items()])
    search.restore(done, tmp_path, Result({}, "L4", value, 0, len(curve), "epochs", 1, 1.0))
    train(search, search.ask(1, killed.recipe))
    after = told(database.url), told(database.url, "other / ")
    assert after[1] == before[1]
    assert after[0].keys() == before[0].keys()
    assert all(len(said) == 1 and said[0][0] != "RUNNING" for said in after[0].values())
    assert after[0][search._shelf.name, done.label] == before[0][search._shelf.name, done.label]


def test_a_server_that_refuses_is_answered_in_its_own_words(database, opened):
    for url, sentence in {
        database.url.replace("/postgres", "/nowhere"): 'FATAL:  database "nowhere" does not exist',
        database.url.replace("nest:", "nobody:"): 'FATAL:  role "nobody" does not exist',
    }.items():
        with pytest.raises(RequestError, match=f"cannot open the store 'postgresql.*{sentence}") as caught:
            opened(url)
        assert "secret" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(opened):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(RequestError, match=r"cannot open the store .*timeout expired"):
            opened(f"postgresql+psycopg://nest@127.0.0.1:{port}/db")


@pytest.mark.parametrize(("version", "sentence"), [("v2.6.0.a", "an older Optuna"), ("v99", "a newer Optuna")])
def test_a_schema_of_another_version_is_refused(database, opened, version, sentence):
    opened(database.url).close()
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [version])
    with pytest.raises(RequestError, match=f"was made by {sentence} than .*, or name another database"):
        opened(database.url)


def test_a_study_of_the_same_name_with_results_elsewhere_is_refused(database, opened, tmp_path):
    store = opened(database.url)
    searches(store)[0].ask(0)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(RequestError, match="holds a study 's' with results in"):
        opened(database.url, "elsewhere/s")

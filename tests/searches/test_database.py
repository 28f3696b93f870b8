import socket
import sys

import pytest
from small_search import age

from nestbench.errors import RequestError
from nestbench.searches.database import let_go, open_file, open_url


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("v2.6.0.a", r'an older Optuna than [\d.]+: run "optuna storage upgrade --storage \'sqlite:.*\'", or name'),
        ("v99", r'a newer Optuna than [\d.]+: run "pip install --upgrade optuna", or name another database'),
    ],
)
def test_a_named_store_of_another_version_is_refused_with_what_to_do(tmp_path, version, sentence):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    let_go(open_url(url)[0])
    age(tmp_path / "shared.db", version)
    with pytest.raises(RequestError, match=sentence):
        open_url(url)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


REFUSED = {
    "here": "the store 'here' is no URL such as postgresql",
    "postgresql://me:secret@host:port/db": "the store is no URL such as postgresql",
    "postgresql+psycopg:/me:secret@host/db": "the store is no URL such as postgresql",
    "postgresql+psycop://me:secret@host/db": r"unknown kind of store 'postgresql\+psycop'; did you mean",
    "mysql://me:secret@host/db": "unknown kind of store 'mysql'",
    "sqlite:////nowhere/at/all.db": "cannot open the store 'sqlite:////nowhere/at/all.db': unable to open",
    f"postgresql://me:secret@127.0.0.1:{closed_port()}/db?password=secret": r"'postgresql\+psycopg://me:\*\*\*@127.0.*refused",
}


@pytest.mark.parametrize(("url", "sentence"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_store_that_cannot_be_is_answered_in_one_sentence_without_its_password(url, sentence):
    if "+psycopg:" in sentence:
        pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'nestbench[cluster]')")
    with pytest.raises(RequestError, match=sentence) as caught:
        open_url(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(RequestError, match=r"needs psycopg .*: pip install 'nestbench\[cluster\]'"):
        open_url("postgresql+psycopg://me@127.0.0.1/db")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine" * 999)
    with pytest.raises(RequestError, match=r"cannot open the store .*: file is not a database"):
        open_url(f"sqlite:///{tmp_path / 'notes.txt'}")
    assert (tmp_path / "notes.txt").read_text() == "mine" * 999


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "optuna.db").mkdir()
    for path in (tmp_path / "optuna.db", tmp_path / "nowhere" / "optuna.db"):
        with pytest.raises(RequestError, match=r"cannot write the store '.*optuna.db': \S"):
            open_file(path)

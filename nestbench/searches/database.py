"""Databases that Optuna's store may be in: a file of SQLite, or a server of PostgreSQL."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from nestbench.errors import RequestError, reason, unknown

AWAY = (OptunaError, SQLAlchemyError, KeyError)
"""What a store raises that is away, full or locked, or from which somebody deleted what was there."""

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}

# Seconds until a server that does not answer a new connection, and milliseconds until one that broke off, is away.
_PATIENCE = {"connect_timeout": 4, "tcp_user_timeout": 10_000}


def open_file(path: Path) -> RDBStorage:
    """A store in a file, made anew where it is damaged or of another version of Optuna.

    Raises RequestError where the file cannot be written.
    """
    url = URL.create("sqlite", database=str(path))
    if _sound(path):
        with suppress(*AWAY):  # it is no store at all
            storage = _opened(url)
            if not _other(storage):
                return storage
            let_go(storage)
    try:
        for remains in (path, *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))):
            remains.unlink(missing_ok=True)
        return _opened(url)
    except (OSError, *AWAY) as error:
        raise RequestError(f"cannot write the store '{path}': {why(error)}") from error


def _sound(path: Path) -> bool:
    """Whether a file of SQLite can be read to its end."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.Error:
        return False


def _parsed(url: str) -> URL:
    """A URL of a kind of database that is known to work, with its driver."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        shown = "" if "@" in url else f" '{url}'"  # it may hold a password
        raise RequestError(
            f"the store{shown} is no URL such as postgresql+psycopg://USER@HOST:PORT/DATABASE or sqlite:///FILE"
        ) from error
    if parsed.drivername not in _DRIVERS:
        raise unknown("kind of store", parsed.drivername, _DRIVERS)
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def open_url(text: str) -> tuple[RDBStorage, str]:
    """The store in the database of that URL, and the URL as it may be shown.

    Raises RequestError for a URL that is none, and for a database that cannot be reached or used.
    """
    url = _parsed(text)
    name = url.set(query={}).render_as_string(hide_password=True)
    try:
        storage = _opened(url)
        age = _other(storage)
    except ImportError as error:
        raise RequestError(f"the store '{name}' needs psycopg ({error}): pip install 'nestbench[cluster]'") from error
    except AWAY as error:
        raise RequestError(f"cannot open the store '{name}': {why(error)}") from error
    if age:
        let_go(storage)
        remedy = f"optuna storage upgrade --storage '{name}'" if age == "an older" else "pip install --upgrade optuna"
        raise RequestError(
            f"the store '{name}' was made by {age} Optuna than {optuna.__version__}: "
            f'run "{remedy}", or name another database'
        )
    return storage, name


def let_go(storage: RDBStorage) -> None:
    """Close every connection to a store."""
    storage.remove_session()
    storage.engine.dispose()


def _other(storage: RDBStorage) -> str:
    """Which Optuna made a store that the one installed here cannot use; nothing where it can."""
    version = storage.get_current_version()
    if version == storage.get_head_version():
        return ""
    return "an older" if version in storage.get_all_versions() else "a newer"


def _opened(url: URL) -> RDBStorage:
    sqlite = url.get_backend_name() == "sqlite"
    options = {"pool_pre_ping": True, "connect_args": {} if sqlite else _PATIENCE}
    text = url.render_as_string(hide_password=False)
    storage = RDBStorage(text, engine_kwargs=options, skip_compatibility_check=True)
    if sqlite:
        # What a power cut takes from the file is written again from the results: no need to wait for the disk.
        event.listen(storage.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        storage.engine.dispose()
    return storage


def why(error: BaseException) -> str:
    """Why a store failed: the database's own words, which stand at the end of the chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return reason(error)

"""Optuna's store: SQLite in the study's folder, or a database that others can watch too.

It shows what the searches do, to ``optuna-dashboard`` for one, and decides nothing: the files of results are the truth.
So a study goes on while its store is away, and catches the store up when it is back.
"""

import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from nestbench.errors import RequestError
from nestbench.searches.database import AWAY, let_go, open_file, open_url, why
from nestbench.searches.shelf import Row, Shelf, write_end

_LONGEST_PAUSE = 60.0


class Store:
    """Writes down what happens in the cells' searches, at once or as soon as the database takes it.

    After a failure nothing is tried for a second, then two, four, up to a minute: a database that is away slows nobody.
    """

    def __init__(self, storage: RDBStorage, name: str, folder: Path, clock: Callable[[], float] = time.monotonic):
        self._storage, self.name, self.folder, self._clock = storage, name, folder, clock
        self._behind: dict[Shelf, None] = {}
        self._pause, self._again, self._news = 0.0, 0.0, ""

    def shelf(self, study: str, cell: tuple[str, str, str]) -> Shelf:
        """A place for a cell's runs, in the store as "study / data set / encoder / model"."""
        named = dict(zip(("data set", "encoder", "model"), cell, strict=True))
        shelf = Shelf(" / ".join((study, *cell)), {"study": study} | named | {"results": str(self.folder)})
        self._behind[shelf] = None
        return shelf

    def keep(self, shelf: Shelf, row: Row) -> None:
        """Note a run that ended before; it is written with whatever is written next."""
        shelf.rows.append(row)
        self._behind[shelf] = None

    def begin(self, shelf: Shelf, row: Row) -> None:
        """Write that a run began."""
        shelf.rows.append(row)
        self._write(shelf, lambda: shelf.insert(self._storage, row))

    def report(self, shelf: Shelf, row: Row, epoch: int, value: float) -> None:
        """Write an epoch's validation IoU."""
        row.curve[epoch] = value
        self._write(shelf, lambda: self._storage.set_trial_intermediate_value(row.id, epoch, value))

    def end(self, shelf: Shelf, row: Row, state: TrialState, value: float | None) -> None:
        """Write how a run ended."""
        row.state, row.value = state, value
        self._write(shelf, lambda: write_end(self._storage, row))

    def news(self) -> str:
        """A sentence, once, where the store was lost or is back since this was asked last; else nothing."""
        said, self._news = self._news, ""
        return said

    def close(self) -> None:
        """Write what it lacks, if it can be reached, and let go of it."""
        self._again = 0.0
        self._write(None, lambda: None)
        let_go(self._storage)

    def _write(self, shelf: Shelf | None, change: Callable[[], None]) -> None:
        """Do a change that the shelf's rows say already; a shelf that is behind gets all of its rows instead."""
        behind = shelf in self._behind
        if shelf is not None:
            self._behind[shelf] = None
        if self._clock() < self._again:
            return
        try:
            if shelf is not None and not behind:
                change()
                del self._behind[shelf]
            self._catch_up()
        except AWAY as error:
            self._lost(error)
        else:
            self._found()

    def _catch_up(self) -> None:
        for shelf in list(self._behind):
            shelf.settle(self._storage)
            del self._behind[shelf]

    def _lost(self, error: BaseException) -> None:
        if not self._pause:
            self._news = (
                f"the store '{self.name}' is lost ({why(error)}): "
                "the study goes on without it, and writes there again once it is back"
            )
        self._pause = min(max(2 * self._pause, 1.0), _LONGEST_PAUSE)
        self._again = self._clock() + self._pause

    def _found(self) -> None:
        if self._pause:
            self._news = f"the store '{self.name}' is back, and says again all that happened"
        self._pause = 0.0


def new_store(folder: Path, url: str = "") -> Store:
    """The store of the study whose results are in ``folder``, and are named as it is.

    Without a ``url`` it is SQLite in the folder, and made anew where it is damaged or of another version of Optuna.
    Raises RequestError for a URL that is none, a database that cannot be reached or used, and one in which a study of
    that name has its results elsewhere.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = folder.resolve()
    if not url:
        return Store(open_file(folder / "optuna.db"), str(folder / "optuna.db"), folder)
    storage, name = open_url(url)
    try:
        _refuse_strangers(storage, folder)
    except (RequestError, *AWAY) as error:
        let_go(storage)
        raise RequestError(f"cannot use the store '{name}': {why(error)}") from error
    return Store(storage, name, folder)


def _refuse_strangers(storage: RDBStorage, folder: Path) -> None:
    """A database is shared by studies; of two with one name, each would take the other's trials for damage."""
    for study in storage.get_all_studies():
        held = study.user_attrs.get("results", str(folder))
        if study.study_name.startswith(f"{folder.name} / ") and held != str(folder):
            raise RequestError(
                f"it holds a study '{folder.name}' with results in '{held}', not in '{folder}': give one of them "
                "another name, or name another database (if that folder was moved, first delete the study in the "
                "store, as in optuna-dashboard)"
            )

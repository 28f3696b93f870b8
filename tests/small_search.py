"""A search of four trials that train nothing, and what stands in its store."""

import sqlite3
from contextlib import closing

from nestbench.results.records import Epoch, Result
from nestbench.searches.search import CellSearch
from nestbench.study.schema import Study

CELL = "s / synthetic / timm:resnet18 / unet"


def study(**changes):
    content = {
        "name": "s",
        "datasets": [{"name": "synthetic"}],
        "models": ["unet"],
        "search": {"trials": 4, "sampler": "random", "space": {"batch": [4, 8], "patience": {"low": 2, "high": 9}}},
    }
    return Study.model_validate(content | changes)


def cell_search(store, asked=None):
    asked = asked or study()
    return CellSearch(asked, next(asked.cells()), store)


def epoch(index, value=0.5):
    return Epoch(index, 1.0, 1.0, value, True, 1.0)


def result(value=0.5, stopped="epochs", epochs=1):
    return Result({}, "L4", value, 0, epochs, stopped, 1, 1.0)


def finish(search, run, value=0.5):
    search.advance(run, epoch(0, value))
    search.tell(run, result(value))
    return run


def told(storage):
    """What stands in a store: of each study the trials with all that they say, by run."""
    found = {}
    for one in storage.get_all_studies():
        trials = storage.get_all_trials(one._study_id)
        found[one.study_name] = sorted(
            (t.user_attrs["run"], t.state.name, t.value, *t.params.items(), *t.intermediate_values.items())
            for t in trials
        )
    return found


def age(path, version):
    alter(path, f"UPDATE alembic_version SET version_num = '{version}'")


def alter(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()

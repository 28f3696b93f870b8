"""The tables of a run that tells objects apart, beside its cases (columns: ``results.instance_scores``)."""

from pathlib import Path

import pandas as pd

from nestbench.results.atomic import replacing
from nestbench.results.instance_scores import InstanceCounts
from nestbench.results.records import as_sealed


def write_instances(folder: Path, counts: InstanceCounts) -> None:
    """Write the tables of a run."""
    for name, table in zip(InstanceCounts._fields, counts, strict=True):
        with replacing(folder / f"{name}.parquet") as beside:
            table.to_parquet(beside, index=False)


def read_instances(folder: Path) -> InstanceCounts:
    """The tables that ``write_instances`` wrote, of a finished run. Raises RequestError as ``read_epochs`` does."""
    tables = []
    for name in InstanceCounts._fields:
        with as_sealed(folder, f"{name}.parquet") as path:
            tables.append(pd.read_parquet(path))
    return InstanceCounts(*tables)

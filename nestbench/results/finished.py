"""All that a finished run says, as tables."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from nestbench.results.records import Result, intact, read_result


@dataclass(frozen=True, eq=False)
class Finished:
    """One finished run: its result, its cases' counts and its epochs, a row each."""

    result: Result
    cases: pd.DataFrame
    epochs: pd.DataFrame


def read_run(folder: Path) -> Finished | None:
    """All that a finished run says, or None where it is not done. Raises RequestError as ``read_epochs`` does."""
    result = read_result(folder)
    if result is None:
        return None
    with intact(folder / "cases.parquet", result) as path:
        with pq.ParquetFile(path) as file:  # a third of the time of read_table, which is for folders of files
            cases = file.read(use_threads=False).to_pandas(use_threads=False)
        if cases.isna().to_numpy().any():
            raise ValueError("a value is missing in it")
    with intact(folder / "epochs.jsonl", result) as path:
        epochs = pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    return Finished(result, cases, epochs)

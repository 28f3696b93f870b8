"""What lies beside the runs in a study's results: its data sets, their objects, speed, and what the searches found."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestbench.report.frames import CELL
from nestbench.results.importance import read_importance
from nestbench.results.places import cell_folder
from nestbench.results.reading import naming, read_json
from nestbench.study.schema import DEVICES, Study
from nestbench.study.words import slug

_ABOUT = (
    "title",
    "licence",
    "citation",
    "url",
    "classes",
    "channels",
    "volumes",
    "dims",
    "size",
    "patch",
    "spacing",
    "window",
    "twins",
    "subjects",
    "counts",
    "content",
)
_SPEED = [*CELL, "output", "depth", "parameters", "flops", "batch", "median_ms", "q25_ms", "q75_ms"]


def read_speed(folder: Path, study: Study) -> pd.DataFrame:
    """What each network of the study costs, a row for each device, member and output."""
    tables = [pd.DataFrame(columns=["device", *_SPEED, "memory"])]
    for path in sorted(folder.glob("*.json")):
        content = read_json(path)
        with naming(path):
            rows = pd.DataFrame(content["rows"])
            memory = rows.get("memory", np.nan)  # older files have none
            tables.append(rows[_SPEED].assign(memory=memory, device=content["device"]))
    speed = pd.concat(tables[1:] or tables, ignore_index=True)
    wanted = {cell.key for cell in study.cells()}
    known = [key in wanted for key in zip(*(speed[c] for c in CELL), strict=True)]
    return speed[np.array(known, dtype=bool)]


def read_sizes(folder: Path, titles: list[str]) -> pd.DataFrame:
    """Median diameter in pixels of the objects of each case that has some, by data set."""
    tables = [pd.DataFrame({"dataset": [], "case": [], "diameter": []})]
    for title in titles:
        path = folder / slug(title) / "objects.parquet"
        if path.exists():
            with naming(path):
                objects = pd.read_parquet(path, columns=["case", "diameter"])
            tables.append(objects.groupby("case", as_index=False)["diameter"].median().assign(dataset=title))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def read_importances(folder: Path, study: Study) -> pd.DataFrame:
    """What each cell's search says of the keys that it searched."""
    rows = []
    for cell in study.cells():
        found = read_importance(cell_folder(folder, cell))
        if found:
            named = dict(zip(CELL, cell.key, strict=True)) | {"trials": found.trials, "method": found.method}
            rows += [named | {"key": key, "share": share} for key, share in found.shares.items()]
    return pd.DataFrame(rows, columns=[*CELL, "key", "share", "trials", "method"])


def read_description(path: Path) -> dict[str, Any]:
    """What a report says of a data set. Raises RequestError that names the key that is not there."""
    content = read_json(path)
    with naming(path):
        return {key: content[key] for key in _ABOUT}


def read_plan(path: Path) -> dict[str, Any]:
    """The plan under which every run was made. Raises RequestError that names a key that is not there."""
    content = read_json(path)
    with naming(path):
        if content["device"] not in DEVICES[1:]:
            raise ValueError(f"its device is {content['device']!r}")
    return content

"""Everything that a report is made from, read once from results/<study>/ into tables."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nestbench.errors import RequestError
from nestbench.report.agreement import refuse_two_tests
from nestbench.report.beside import read_description, read_importances, read_plan, read_sizes, read_speed
from nestbench.report.frames import CELL, PANEL
from nestbench.report.instances.objects import Objects, read_objects
from nestbench.report.pictures import Bytes, CellKey, Overlay, read_found, read_overlay
from nestbench.report.scored import Scored, empty_cases, scored
from nestbench.results.finished import Finished, read_run
from nestbench.results.places import run_folder
from nestbench.results.records import Result, read_failure
from nestbench.results.seal import seal
from nestbench.study.files import read_study
from nestbench.study.schema import Cell, Run, Study
from nestbench.study.words import slug

_FACTS = (
    "primary",
    "validation",
    "best_epoch",
    "epochs",
    "stopped",
    "parameters",
    "seconds",
    "testing",
    "memory",
    "parts",
    "chosen",
)


@dataclass(frozen=True)
class Evidence:
    """A study's results as tables; ``CELL`` names the cell in each of them."""

    study: Study
    text: str
    """The study as run, every default written out."""
    datasets: dict[str, dict[str, Any]]
    """Description of each data set that has a finished run."""
    runs: pd.DataFrame
    """One row per planned run: state (done, failed, missing), reason, and what ``Result`` says."""
    cases: pd.DataFrame
    """One row per finished run, split, case and output, with a column for each metric."""
    classes: pd.DataFrame
    """One row per finished run and class: scores on the test cases by the output that the member is judged by."""
    empty: dict[str, tuple[int, int]]
    """Of each data set, how many test cases show no object, and how many test cases there are."""
    epochs: pd.DataFrame
    speed: pd.DataFrame
    """One row per device, member and output; empty where speed was not measured."""
    sizes: pd.DataFrame
    """Median diameter in pixels of each case's objects, by data set and case; empty where none was kept."""
    importance: pd.DataFrame
    """Share of each searched key in what decided the search, by cell; empty where no search was long enough."""
    objects: Objects | None
    """What a study of objects has besides; None where the task is the class of each pixel."""
    overlays: dict[str, Overlay]
    predictions: dict[CellKey, list[Bytes]]
    """Masks (n, H, W) of the overlay's cases by the first finished seed of each cell."""
    heads: dict[CellKey, dict[str, list[Bytes]]]
    """The same by each output of a cell with several heads; a cell whose results are older has none."""
    plan: dict[str, Any]
    environments: tuple[dict[str, Any], ...]
    seal: str
    """Fingerprint of all files that this was read from."""

    @property
    def done(self) -> pd.DataFrame:
        """The finished runs."""
        return self.runs[self.runs["state"] == "done"]

    @property
    def panels(self) -> list[tuple[str, str]]:
        """Data set and encoder pairs that have a finished run, in the order of the study."""
        return [(str(d), str(e)) for d, e in self.done[PANEL].drop_duplicates().to_numpy()]

    @property
    def samples(self) -> dict[str, int | None]:
        """Windows, slices or images that an epoch shows of each data set of the study; None: all, once."""
        return {spec.title: spec.samples for spec in self.study.datasets}

    @cached_property
    def test_cases(self) -> pd.DataFrame:
        """Test scores of every output."""
        return self.cases[self.cases["split"] == "test"].drop(columns=["split", "primary"])

    @cached_property
    def primary_cases(self) -> pd.DataFrame:
        """Test scores of the output that each member is judged by."""
        chosen = self.cases[(self.cases["split"] == "test") & (self.cases["output"] == self.cases["primary"])]
        return chosen.drop(columns=["split", "primary"])


class _Collected(NamedTuple):
    """What runs left, those that are finished in the order of the study."""

    rows: list[dict[str, Any]]
    finished: list[tuple[Run, Result]]
    tables: list[Scored]
    empty: dict[str, tuple[int, int]]


def gather(folder: Path) -> Evidence:
    """Read the results of a study.

    Raises RequestError for a folder without a finished run, and for a file that cannot be read, by its name.
    """
    if not (folder / "study.yaml").exists():
        raise RequestError(f"there are no results in '{folder}': 'nestbench study run' makes them")
    study = read_study(folder / "study.yaml")
    rows, finished, tables, empty = _collected(study, folder)
    if not finished:
        raise RequestError(f"no run of the study '{study.name}' in '{folder}' is finished: there is nothing to report")
    titles = list(dict.fromkeys(run.cell.dataset.title for run, _ in finished))
    overlays = {t: read_overlay(p) for t in titles if (p := folder / slug(t) / "overlays.npz").exists()}
    environments = {json.dumps(r.environment, sort_keys=True): r.environment for _, r in finished}
    refuse_two_tests(folder, finished)
    found = read_found(folder, finished, overlays)
    names = pd.DataFrame([_name(run) | {"primary": result.primary} for run, result in finished])
    cases, classes, epochs = (_joined(names, parts) for parts in zip(*tables, strict=True))
    cases = cases.astype(dict.fromkeys(("split", "case", "subject"), "category"))  # words are slow to tell apart
    return Evidence(
        study=study,
        text=(folder / "study.yaml").read_text(encoding="utf-8"),
        datasets={t: read_description(folder / slug(t) / "dataset.json") for t in titles},
        runs=pd.DataFrame(rows),
        cases=cases,
        classes=classes,
        empty=empty,
        epochs=epochs,
        speed=read_speed(folder / "speed", study),
        sizes=read_sizes(folder, titles),
        importance=read_importances(folder, study),
        objects=read_objects(folder, [run for run, _ in finished]) if study.task == "instance" else None,
        overlays=overlays,
        predictions={key: masks for key, (masks, _) in found.items()},
        heads={key: others for key, (_, others) in found.items() if others},
        plan=read_plan(folder / "plan.json"),
        environments=tuple(environments[key] for key in sorted(environments)),
        seal=seal(folder),
    )


def _collected(study: Study, folder: Path) -> _Collected:
    """What every run of a study left."""
    rows, finished, tables = [], [], []
    empty: dict[str, tuple[int, int]] = {}
    for cell in study.cells():
        done = []
        for run, told in zip(_runs(study, cell), _read(study, cell, folder), strict=True):
            rows.append(_run_row(run, run_folder(folder, run), told.result if told else None))
            if told:
                finished.append((run, told.result))
                done.append(told)
        tables += scored(done, study.task)
        if done and cell.dataset.title not in empty:
            empty[cell.dataset.title] = empty_cases(done[0].cases)
    return _Collected(rows, finished, tables, empty)


def _runs(study: Study, cell: Cell) -> Iterator[Run]:
    for seed in range(study.seeds):
        yield Run(cell=cell, recipe=study.recipe, seed=seed)


def _read(study: Study, cell: Cell, folder: Path) -> Iterator[Finished | None]:
    """What each run of a cell left, in order; a second one is read while the first is taken apart."""
    with ThreadPoolExecutor(2) as readers:
        yield from readers.map(read_run, [run_folder(folder, run) for run in _runs(study, cell)])


def _name(run: Run) -> dict[str, Any]:
    return dict(zip(CELL, run.cell.key, strict=True)) | {"seed": run.seed}


def _run_row(run: Run, path: Path, result: Result | None) -> dict[str, Any]:
    if result is None:
        reason = read_failure(path)
        state = "missing" if reason is None else "failed"
        return _name(run) | {"state": state, "reason": reason or "it has not been run", "recipe": {}}
    recipe = result.identity.get("run", {}).get("recipe", {})
    return _name(run) | {"state": "done", "reason": "", "recipe": recipe} | {f: getattr(result, f) for f in _FACTS}


def _joined(names: pd.DataFrame, parts: Sequence[pd.DataFrame | None]) -> pd.DataFrame:
    """One table of all runs' tables, with the name of its run in every row: repeated at once, which is fast."""
    tables = [part for part in parts if part is not None]
    rows = np.repeat(np.arange(len(parts)), [0 if part is None else len(part) for part in parts])
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return pd.concat([joined, names.take(rows).reset_index(drop=True)], axis=1)

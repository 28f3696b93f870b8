"""Everything that a report is made from, read once from results/<study>/ into tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.report.frames import CELL, PANEL
from nestbench.results.places import run_folder
from nestbench.results.predictions import NAME, read_predictions
from nestbench.results.reading import naming, read_json
from nestbench.results.records import Result, read_cases, read_epochs, read_failure, read_result
from nestbench.results.scores import case_scores
from nestbench.study.files import read_study
from nestbench.study.schema import Run, Study
from nestbench.study.words import slug

Bytes = NDArray[np.uint8]
CellKey = tuple[str, str, str]

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
    "spacing",
    "window",
    "twins",
    "subjects",
    "counts",
    "content",
)
_SPEED = [*CELL, "output", "depth", "parameters", "flops", "batch", "median_ms", "q25_ms", "q75_ms"]


@dataclass(frozen=True)
class Overlay:
    """The test cases that are shown, from best to worst: of each a plane, its image (H, W, C) and true mask (H, W)."""

    cases: tuple[str, ...]
    planes: tuple[int, ...]
    images: tuple[Bytes, ...]
    masks: tuple[Bytes, ...]


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
    epochs: pd.DataFrame
    speed: pd.DataFrame
    """One row per device, member and output; empty where speed was not measured."""
    overlays: dict[str, Overlay]
    predictions: dict[CellKey, list[Bytes]]
    """Masks (n, H, W) of the overlay's cases by the first finished seed of each cell."""
    plan: dict[str, Any]
    environments: tuple[dict[str, Any], ...]

    @property
    def done(self) -> pd.DataFrame:
        """The finished runs."""
        return self.runs[self.runs["state"] == "done"]

    @property
    def panels(self) -> list[tuple[str, str]]:
        """Data set and encoder pairs that have a finished run, in the order of the study."""
        return [(str(d), str(e)) for d, e in self.done[PANEL].drop_duplicates().to_numpy()]

    def primary_cases(self) -> pd.DataFrame:
        """Test scores of the output that each member is judged by."""
        chosen = self.cases[(self.cases["split"] == "test") & (self.cases["output"] == self.cases["primary"])]
        return chosen.drop(columns=["split", "primary"])


def gather(folder: Path) -> Evidence:
    """Read the results of a study.

    Raises RequestError for a folder without a finished run, and for a file that cannot be read, by its name.
    """
    study = read_study(folder / "study.yaml")
    found = [(run, run_folder(folder, run)) for run in _runs(study)]
    results = {path: read_result(path) for _, path in found}
    finished = [(run, path, result) for run, path in found if (result := results[path]) is not None]
    if not finished:
        raise RequestError(f"no run of the study '{study.name}' in '{folder}' is finished: there is nothing to report")
    titles = list(dict.fromkeys(run.cell.dataset.title for run, _, _ in finished))
    overlays = {t: _overlay(p) for t in titles if (p := folder / slug(t) / "overlays.npz").exists()}
    environments = {json.dumps(r.environment, sort_keys=True): r.environment for _, _, r in finished}
    return Evidence(
        study=study,
        text=(folder / "study.yaml").read_text(encoding="utf-8"),
        datasets={t: _description(folder / slug(t) / "dataset.json") for t in titles},
        runs=pd.DataFrame([_run_row(run, path, results[path]) for run, path in found]),
        cases=pd.concat([_case_rows(*one) for one in finished], ignore_index=True),
        epochs=pd.concat([_epoch_rows(run, path) for run, path, _ in finished], ignore_index=True),
        speed=_speed(folder / "speed", study),
        overlays=overlays,
        predictions=_predictions(finished, overlays),
        plan=read_json(folder / "plan.json"),
        environments=tuple(environments[key] for key in sorted(environments)),
    )


def _runs(study: Study) -> Iterator[Run]:
    for cell in study.cells():
        for seed in range(study.seeds):
            yield Run(cell=cell, recipe=study.recipe, seed=seed)


def _name(run: Run) -> dict[str, Any]:
    return dict(zip(CELL, run.cell.key, strict=True)) | {"seed": run.seed}


def _run_row(run: Run, path: Path, result: Result | None) -> dict[str, Any]:
    if result is None:
        reason = read_failure(path)
        state = "missing" if reason is None else "failed"
        return _name(run) | {"state": state, "reason": reason or "it has not been run", "recipe": {}}
    facts = ("primary", "validation", "best_epoch", "epochs", "stopped", "parameters", "seconds")
    recipe = result.identity.get("run", {}).get("recipe", {})
    return _name(run) | {"state": "done", "reason": "", "recipe": recipe} | {f: getattr(result, f) for f in facts}


def _case_rows(run: Run, path: Path, result: Result) -> pd.DataFrame:
    return case_scores(read_cases(path)).assign(**_name(run), primary=result.primary)


def _epoch_rows(run: Run, path: Path) -> pd.DataFrame:
    return pd.DataFrame(read_epochs(path)).assign(**_name(run))


def _speed(folder: Path, study: Study) -> pd.DataFrame:
    tables = [pd.DataFrame(columns=["device", *_SPEED])]
    for path in sorted(folder.glob("*.json")):
        content = read_json(path)
        with naming(path):
            tables.append(pd.DataFrame(content["rows"])[_SPEED].assign(device=content["device"]))
    speed = pd.concat(tables[1:] or tables, ignore_index=True)
    wanted = {cell.key for cell in study.cells()}
    known = [key in wanted for key in zip(*(speed[c] for c in CELL), strict=True)]
    return speed[np.array(known, dtype=bool)]


def _overlay(path: Path) -> Overlay:
    with naming(path), np.load(path) as file:
        cases, planes = tuple(map(str, file["cases"])), tuple(map(int, file["planes"]))
        images, masks = (tuple(file[f"{kind}-{i}"] for i in range(len(cases))) for kind in ("image", "mask"))
        return Overlay(cases, planes, images, masks)


def _predictions(finished: list[tuple[Run, Path, Result]], overlays: dict[str, Overlay]) -> dict[CellKey, list[Bytes]]:
    masks: dict[CellKey, list[Bytes]] = {}
    for run, folder, _ in finished:
        overlay, path = overlays.get(run.cell.dataset.title), folder / NAME
        if overlay is None or run.cell.key in masks or not path.exists():
            continue
        with naming(path):
            found = read_predictions(path, overlay.cases)
            masks[run.cell.key] = [mask[plane] for mask, plane in zip(found, overlay.planes, strict=True)]
    return masks


def _description(path: Path) -> dict[str, Any]:
    content = read_json(path)
    with naming(path):
        return {key: content[key] for key in _ABOUT}

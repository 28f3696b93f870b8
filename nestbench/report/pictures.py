"""The pictures that lie in a study's results: the test cases that are shown, and what each network found in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nestbench.results.places import run_folder
from nestbench.results.predictions import NAME, Masks, read_every
from nestbench.results.reading import naming
from nestbench.results.records import Result, intact
from nestbench.study.schema import Run

Bytes = NDArray[np.uint8]
CellKey = tuple[str, str, str]


@dataclass(frozen=True)
class Overlay:
    """The test cases that are shown, from best to worst: of each a plane, its image (H, W, C) and true mask (H, W).

    Where objects are told apart masks hold their numbers, and are of int32.
    """

    cases: tuple[str, ...]
    planes: tuple[int, ...]
    images: tuple[Bytes, ...]
    masks: tuple[Bytes, ...]


def read_overlay(path: Path) -> Overlay:
    """The pictures of a data set. Raises RequestError that names the file where it cannot be read."""
    with naming(path), np.load(path) as file:
        cases, planes = tuple(map(str, file["cases"])), tuple(map(int, file["planes"]))
        shown = "instances" if "instances-0" in file else "mask"
        images, masks = (tuple(file[f"{kind}-{i}"] for i in range(len(cases))) for kind in ("image", shown))
        return Overlay(cases, planes, images, masks)


Found = tuple[list[Bytes], dict[str, list[Bytes]]]
"""Masks (H, W) of the shown cases by the output that a network is judged by; and by each output, where it has several
and kept them."""


def read_found(folder: Path, finished: list[tuple[Run, Result]], overlays: dict[str, Overlay]) -> dict[CellKey, Found]:
    """What the first finished seed of each cell that kept its predictions found in the shown cases.

    Raises RequestError for a file that was changed after its run was done.
    """
    masks: dict[CellKey, Found] = {}
    for run, result in finished:
        overlay, path = overlays.get(run.cell.dataset.title), run_folder(folder, run) / NAME
        if overlay is None or run.cell.key in masks or not path.exists():
            continue
        with intact(path, result):
            every = {name or result.primary: _planes(m, overlay) for name, m in read_every(path, overlay.cases).items()}
            masks[run.cell.key] = every[result.primary], every if len(every) > 1 else {}
    return masks


def _planes(found: list[Masks], overlay: Overlay) -> list[Bytes]:
    return [mask[plane] for mask, plane in zip(found, overlay.planes, strict=True)]

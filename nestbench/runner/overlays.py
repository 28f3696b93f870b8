"""The few test cases whose pictures go into the results, so that a report needs no data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.formats.pictures import Pixels
from nestbench.results import instance_scores
from nestbench.results.atomic import replacing
from nestbench.results.instance_tables import read_instances
from nestbench.results.places import seed_folder
from nestbench.results.records import read_cases, read_result
from nestbench.results.scores import case_scores
from nestbench.runner.data import Ready
from nestbench.study.schema import Study
from nestbench.study.words import slug


def write_overlays(folder: Path, title: str, ready: Ready, study: Study) -> None:
    """Write image and mask of the best, the median and the worst test case by mean IoU over all finished runs.

    In a study of objects they are ranked by the mean Score, and the numbers of the true objects are written too.
    """
    cells = [cell for cell in study.cells() if cell.dataset.title == title]
    runs = [seed_folder(folder, cell, seed) for cell in cells for seed in range(study.seeds)]
    of_test, metric = (_test_objects, "score") if study.task == "instance" else (_test_masks, "iou")
    scored = [of_test(run, result.primary) for run in runs if (result := read_result(run))]
    if not scored:
        return
    means = pd.concat(scored).groupby("case")[metric].mean().sort_values(ascending=False, kind="stable")
    chosen = [str(means.index[i]) for i in (0, len(means) // 2, len(means) - 1)]
    place = {case.id: i for i, case in enumerate(ready.prepared.cases)}
    shown: dict[str, NDArray[Any]] = {}
    planes = []
    for number, case in enumerate(chosen):
        image, mask = ready.prepared.image(place[case]), ready.prepared.mask(place[case])
        planes.append(_fullest(mask))
        shown |= {f"image-{number}": image[planes[-1]], f"mask-{number}": mask[planes[-1]]}
        if study.task == "instance" and (labels := ready.prepared.instances(place[case])) is not None:
            shown[f"instances-{number}"] = labels[planes[-1]]
    with replacing(folder / slug(title) / "overlays.npz") as beside, beside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, cases=np.array(chosen), planes=np.array(planes), **shown)


def _fullest(mask: Pixels) -> int:
    """The plane of a case in which most is to be found."""
    return int(np.argmax((mask > 0).sum(axis=(1, 2))))


def _test_objects(run: Path, primary: str) -> pd.DataFrame:
    cases = read_instances(run).of("test").cases
    return instance_scores.case_scores(cases[cases["output"] == primary])


def _test_masks(run: Path, primary: str) -> pd.DataFrame:
    cases = read_cases(run)
    return case_scores(cases[(cases["split"] == "test") & (cases["output"] == primary)])

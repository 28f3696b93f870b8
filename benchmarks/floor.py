"""What no learning at all would score: Otsu's threshold on a study's test cases, beside the networks' results.

    python benchmarks/floor.py studies/quickstart.yaml [--data DIR] [--results results]

Otsu gets the better of both polarities for each image, chosen by the truth: more than it could know.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.prepared import Prepared, prepare
from nestbench.datasets.splits import split_cases
from nestbench.results.records import read_result, seed_folder
from nestbench.results.scores import iou
from nestbench.study.data import DatasetSpec
from nestbench.study.files import read_study
from nestbench.study.schema import Cell, Study


def overlap(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Foreground IoU of two masks, with the suite's policy for empty ones."""
    counts = (predicted & true, predicted & ~true, ~predicted & true)
    return float(iou(*(np.asarray(c.sum(), dtype=float) for c in counts)))


def floor(prepared: Prepared, spec: DatasetSpec) -> float:
    """Mean IoU of Otsu's threshold over the test cases."""
    scores = []
    for index in split_cases(prepared.cases, spec.split or prepared.shares).test:
        grey, true = prepared.image(index).mean(axis=-1), prepared.mask(index) > 0
        above = grey > threshold_otsu(grey)
        scores.append(max(overlap(above, true), overlap(~above, true)))
    return float(np.mean(scores))


def scores_of(study: Study, cell: Cell, results: Path) -> list[float]:
    """Test IoU of each finished seed of a cell, by its primary output."""
    folders = [seed_folder(results / study.name, cell, seed) for seed in range(study.seeds)]
    found = [result for folder in folders if (result := read_result(folder)) is not None]
    return [result.scores[result.primary]["iou"] for result in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    study = read_study(options.study)
    for spec in study.datasets:
        prepared = prepare(spec, data_root(options.data), cache_root())
        print(f"{spec.title}: Otsu's threshold {100 * floor(prepared, spec):.1f}")
    for cell in study.cells():
        scores = scores_of(study, cell, options.results)
        if scores:
            print(f"{cell}: {100 * np.mean(scores):.1f} (mean of {len(scores)} seeds)")


if __name__ == "__main__":
    main()

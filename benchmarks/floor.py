"""What no learning at all would score: a rule on the test cases of a study, beside the networks' results.

    python benchmarks/floor.py studies/quickstart.yaml [--data DIR] [--results results]

The rules are those of ``benchmarks/rules.py``, at the resolution that the study prepares; means are over subjects, as
the study's own are.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rules import Rule, rule_for, scores

from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.prepared import Prepared
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.results.places import seed_folder
from nestbench.results.records import read_result
from nestbench.study.data import DatasetSpec
from nestbench.study.files import read_study
from nestbench.study.schema import Cell, Study


def floor(prepared: Prepared, spec: DatasetSpec, rule: Rule) -> tuple[float, float]:
    """IoU and Dice of a rule: the mean over the test set's subjects, each the mean of its cases."""
    found = defaultdict(list)
    for index in split_cases(prepared.cases, spec.split or prepared.shares).test:
        image = in_units(prepared.image(index), spec)
        score = scores(rule.find(image), prepared.mask(index), len(prepared.classes))
        found[prepared.cases[index].subject].append(score)
    overlap, coefficient = np.mean([np.mean(each, axis=0) for each in found.values()], axis=0)
    return float(overlap), float(coefficient)


def in_units(image: NDArray[Any], spec: DatasetSpec) -> NDArray[Any]:
    """Hounsfield units again, where the study has a window of them."""
    if spec.window is None:
        return image
    low, high = spec.window
    return low + image / 255 * (high - low)


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
        rule = rule_for(spec.name, spec.options)
        if rule is None:
            print(f"{spec.title}: there is no rule for it")
            continue
        overlap, coefficient = floor(prepare(spec, data_root(options.data), cache_root()), spec, rule)
        print(f"{spec.title}: IoU {100 * overlap:.1f}, Dice {100 * coefficient:.1f} ({rule.reason})")
    for cell in study.cells():
        reached = scores_of(study, cell, options.results)
        if reached:
            print(f"{cell}: IoU {100 * np.mean(reached):.1f} (mean of {len(reached)} seeds)")


if __name__ == "__main__":
    main()

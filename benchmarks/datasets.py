"""Every data set that is there, in one table: cases, sizes, classes, what a rule without learning scores, the sides.

    python benchmarks/datasets.py [--data DIR]

The foreground's share and the floor are means over all cases. A floor is IoU and Dice, at full resolution and in the
files' own values, by the rule of ``benchmarks/rules.py`` that stands below the table; more than two classes are
averaged. A case that is empty scores 1 where nothing is found in it, else 0.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rules import Rule, rule_for, scores

from nestbench.datasets.arrays import try_each
from nestbench.datasets.contract import Case, Dataset
from nestbench.datasets.open import data_root, open_dataset
from nestbench.datasets.splits import split_cases
from nestbench.errors import RequestError
from nestbench.study.data import DatasetSpec

SETS: tuple[dict[str, Any], ...] = (
    {"name": "em", "target": "membrane"},
    {"name": "em"},
    {"name": "cell", "target": "whole"},
    {"name": "cell"},
    {"name": "nuclei"},
    {"name": "brain-tumor"},
    {"name": "liver"},
    {"name": "lung-nodule"},
    {"name": "lung-slices"},
    {"name": "lung-slices", "cases": "slice"},
    {"name": "decathlon", "task": "Task04_Hippocampus"},
)
COLUMNS = (
    "data set", "cases", "subjects", "shape", "spacing in mm", "classes", "foreground", "IoU", "Dice", "sides"
)  # fmt: skip


class Seen(NamedTuple):
    """What is kept of a case."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None
    foreground: float
    """Share of its pixels."""
    scores: tuple[float, float]


def see(dataset: Dataset, rule: Rule, case: Case) -> Seen:
    """Read a case and try the rule on it."""
    image, mask, _, spacing = dataset.read(case)
    volume, true = (image, mask) if mask.ndim == 3 else (image[None], mask[None])
    found = scores(rule.find(volume), true, len(dataset.classes))
    return Seen(mask.shape, spacing, float(np.count_nonzero(mask) / mask.size), found)


def row(dataset: Dataset, title: str, seen: Sequence[Seen]) -> tuple[str, ...]:
    """A data set's row of the table."""
    cases = dataset.cases()
    split = split_cases(cases, dataset.shares)
    spacings = [one.spacing for one in seen if one.spacing]
    share, overlap, coefficient = np.mean([(one.foreground, *one.scores) for one in seen], axis=0)
    return (
        title,
        str(len(cases)),
        str(len({case.subject for case in cases})),
        ranges([one.shape for one in seen]),
        ranges(spacings) if spacings else "not known",
        ", ".join(dataset.classes[1:]),
        f"{share:.3f}",
        f"{overlap:.3f}",
        f"{coefficient:.3f}",
        f"{len(split.train)} / {len(split.validation)} / {len(split.test)}",
    )


def ranges(numbers: Sequence[tuple[float, ...]]) -> str:
    """The least to the most along each axis."""
    low, high = (np.round(end(numbers, axis=0), 2).tolist() for end in (np.min, np.max))
    return " x ".join(f"{a:g}" if a == b else f"{a:g}..{b:g}" for a, b in zip(low, high, strict=True))


def titled(asked: dict[str, Any]) -> str:
    """A data set's name and its options."""
    return " ".join(str(value) for value in asked.values())


def table(root: Path) -> tuple[list[tuple[str, ...]], list[str]]:
    """The rows, and a line on each data set: its rule, or why it is left out."""
    rows, notes = [], []
    for asked in SETS:
        spec, title = DatasetSpec(**asked), titled(asked)
        try:
            dataset = open_dataset(spec, root)
            cases, rule = dataset.cases(), rule_for(spec.name, spec.options)
        except RequestError as error:
            notes.append(f"{title}: left out, {error}")
            continue
        if rule is None:
            notes.append(f"{title}: left out, there is no rule for it")
            continue
        seen = list(try_each(cases, partial(see, dataset, rule)))
        notes += [f"{title}: {one}" for one in seen if isinstance(one, RequestError)]
        rows.append(row(dataset, title, [one for one in seen if isinstance(one, Seen)]))
        notes.append(f"{title}: {rule.reason}")
    return rows, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    rows, notes = table(data_root(parser.parse_args().data))
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for one in rows:
        print("| " + " | ".join(one) + " |")
    print()
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    main()

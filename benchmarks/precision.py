"""Whether the results of one study in float32 and in bfloat16 differ.

    python benchmarks/precision.py results/float32/precision results/bfloat16/precision

Both folders hold the same runs (`studies/precision.yaml` says how they are made). For each cell, the difference of the
test IoU of its primary output, second folder minus first, over the seeds that both have, with the interval of the test
that reports decide by: seeds and subjects are random and crossed.
"""

from pathlib import Path

import pandas as pd
from asked import answer, bare, folder

from nestbench.errors import RequestError
from nestbench.report.statistics.comparisons import grid
from nestbench.report.statistics.crossed import contrast
from nestbench.results.places import seed_folder
from nestbench.results.reading import read_json
from nestbench.results.records import read_cases, read_result
from nestbench.results.scores import case_scores
from nestbench.study.files import read_study
from nestbench.study.schema import Cell, Study

MARGIN = 0.003
"""What a difference of IoU must stay below, and its interval hold zero, for the precisions to count as alike."""


def table(results: Path, study: Study, cell: Cell) -> pd.DataFrame:
    """Test IoU by seed and subject, of the seeds that are finished.

    Raises RequestError where none is.
    """
    parts = []
    for seed in range(study.seeds):
        own = seed_folder(results, cell, seed)
        if (result := read_result(own)) is not None:
            cases = case_scores(read_cases(own))
            tested = cases[(cases["split"] == "test") & (cases["output"] == result.primary)]
            parts.append(tested.assign(seed=seed))
    if not parts:
        raise RequestError(f"'{results}' has no finished run of {cell}")
    return grid(pd.concat(parts))


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("first", type=folder)
    parser.add_argument("second", type=folder)
    asked = parser.parse_args()
    study = read_study(asked.first / "study.yaml")
    names = [read_json(results / "plan.json")["precision"] for results in (asked.first, asked.second)]
    for cell in study.cells():
        tables = [table(results, study, cell) for results in (asked.first, asked.second)]
        differences = (tables[1] - tables[0]).dropna()
        found = contrast(differences.to_numpy())
        alike = abs(found.difference) < MARGIN and found.low <= 0 <= found.high
        for name, own in zip(names, tables, strict=True):
            print(f"{cell}, {name}: {100 * own.loc[differences.index].to_numpy().mean():.2f}", end="; ")
        print(f"{len(differences)} seeds, {differences.shape[1]} subjects")
        print(
            f"difference {100 * found.difference:+.2f} points, 95 % {100 * found.low:+.2f} to {100 * found.high:+.2f}:"
        )
        print("  alike" if alike else "  NOT shown to be alike")


if __name__ == "__main__":
    answer(main)

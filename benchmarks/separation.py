"""How well objects can be told apart where every pixel of the foreground is right: what separation alone costs.

    python benchmarks/separation.py [--data DIR] [--size 96] [--every 10]

Of every so many cases of ``nuclei``, at a study's size: the mean Score of the true foreground, separated by the best of
each method's candidates. It is chosen on the first half of these cases and scored on the second.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.preparing import prepare
from nestbench.instances.count import score
from nestbench.instances.detected import Labels
from nestbench.instances.separate import METHODS, candidates, choose, segment
from nestbench.study.data import DatasetSpec


def foreground_of(truth: Labels) -> NDArray[np.float32]:
    return (truth > 0).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args()
    prepared = prepare(DatasetSpec(name="nuclei", size=options.size), data_root(options.data), cache_root())
    truths = [np.asarray(prepared.instances(i))[0] for i in range(0, len(prepared.cases), options.every)]
    half = len(truths) // 2
    for method in METHODS:
        how = choose([(foreground_of(truth), truth) for truth in truths[:half]], candidates(method))
        reached = np.mean([score(truth, segment(foreground_of(truth), how)) for truth in truths[half:]])
        print(f"{method}: Score {100 * reached:.1f} on {len(truths) - half} cases ({how})")


if __name__ == "__main__":
    main()

"""Which precision and memory format suit this machine: the calibration that studies choose by, with many more rounds.

    python benchmarks/plan.py [--seconds 60] [--threads N] [--device auto]

Prints how many times as fast as plain float32 each is, by medians of the same rounds, with a 95 % interval; a way that
was given up as far slower has one time.
"""

import numpy as np
from arena import in_words, speedups
from asked import answer, options

from nestbench.machine import device_name
from nestbench.machine.measure import PLAIN, time_ways


def main() -> None:
    asked = options(__doc__, seconds=60).parse_args()
    taken = time_ways(asked.device, asked.threads, asked.seconds)
    print(f"{device_name(asked.device)}, {asked.threads} threads, {len(taken[PLAIN])} rounds")
    for way, seconds in taken.items():
        rounds = np.column_stack([taken[PLAIN][: len(seconds)], seconds])
        words = f"{way.precision}, {way.memory_format}{', replayed' * way.replay}"
        print(f"{words:34} {in_words(speedups(rounds)[1])} of plain float32")


if __name__ == "__main__":
    answer(main)

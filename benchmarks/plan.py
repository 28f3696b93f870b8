"""Which precision and memory format suit this machine: the calibration that studies choose by, with many more rounds.

    python benchmarks/plan.py [--device auto] [--threads N] [--seconds 60]

Prints the ratio of each to plain float32, from the same rounds, with a bootstrap interval of the ratio of medians.
"""

import argparse

import numpy as np

from nestbench.machine import cores, device_name
from nestbench.machine.device import find_device
from nestbench.machine.measure import PLAIN, time_ways


def interval(slow: list[float], fast: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the ratio of medians, rounds drawn in pairs, or of the one time of a way given up."""
    index = np.random.default_rng(0).integers(0, len(fast), (2000, len(fast)))
    ratios = np.median(np.array(slow)[index], axis=1) / np.median(np.array(fast)[index], axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    device = find_device(options.device)
    taken = time_ways(device, options.threads, options.seconds)
    print(f"{device_name(device)}, {options.threads} threads, {len(taken[PLAIN])} rounds")
    for way, seconds in taken.items():
        low, high = interval(taken[PLAIN], seconds)
        ratio = np.median(taken[PLAIN]) / np.median(seconds)
        print(f"{', '.join(way):24} {ratio:5.2f}x plain float32 (95 % {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()

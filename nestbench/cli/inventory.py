"""What the files of a data set hold, read one by one."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from nestbench.datasets.contract import Case, Dataset, Sample
from nestbench.errors import RequestError


def take_inventory(dataset: Dataset) -> dict[str, Any]:
    """Read every case: counts, sizes, the classes' shares of all pixels, and a sentence for each case that cannot be.

    Sizes are width x height in pixels, the most frequent first.
    """
    sizes: Counter[str] = Counter()
    pixels = np.zeros(len(dataset.classes), np.int64)
    problems = []
    for found in _read(dataset):
        if isinstance(found, RequestError):
            problems.append(str(found))
            continue
        sizes[f"{found.image.shape[1]}x{found.image.shape[0]}"] += 1
        pixels += np.bincount(found.mask.ravel(), minlength=len(pixels))
    shares = {name: round(float(n / max(pixels.sum(), 1)), 4) for name, n in zip(dataset.classes, pixels, strict=True)}
    return count(dataset) | {"sizes": dict(sizes.most_common()), "shares": shares, "problems": problems}


def _read(dataset: Dataset) -> Iterator[Sample | RequestError]:
    def attempt(case: Case) -> Sample | RequestError:
        try:
            return dataset.read(case)
        except RequestError as error:
            return error

    cases, console = dataset.cases(), Console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(attempt, cases)
        yield from track(found, "reading", len(cases), console=console, transient=True, disable=not console.is_terminal)


def count(dataset: Dataset) -> dict[str, Any]:
    """What is known before any image is read."""
    cases = dataset.cases()
    subjects = len({case.subject for case in cases})
    return {"cases": len(cases), "subjects": subjects, "classes": list(dataset.classes), "channels": dataset.channels}

"""What the files of a data set hold, read one by one."""

from collections import Counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from nestbench.datasets.arrays import try_each
from nestbench.datasets.contract import Dataset
from nestbench.errors import RequestError


def take_inventory(dataset: Dataset) -> dict[str, Any]:
    """Read every case: counts, sizes, the classes' shares of all pixels, and a sentence for each case that cannot be.

    Sizes are width x height in pixels, the most frequent first.
    """
    sizes: Counter[str] = Counter()
    pixels = np.zeros(len(dataset.classes), np.int64)
    problems = []
    cases, console = dataset.cases(), Console(stderr=True)
    each = try_each(cases, dataset.read)
    for found in track(each, "reading", len(cases), console=console, transient=True, disable=not console.is_terminal):
        if isinstance(found, RequestError):
            problems.append(str(found))
            continue
        sizes[f"{found.image.shape[1]}x{found.image.shape[0]}"] += 1
        pixels += np.bincount(found.mask.ravel(), minlength=len(pixels))
    shares = {name: round(float(n / max(pixels.sum(), 1)), 4) for name, n in zip(dataset.classes, pixels, strict=True)}
    return count(dataset) | {"sizes": dict(sizes.most_common()), "shares": shares, "problems": problems}


def count(dataset: Dataset) -> dict[str, Any]:
    """What is known before any image is read."""
    cases = dataset.cases()
    subjects = len({case.subject for case in cases})
    return {"cases": len(cases), "subjects": subjects, "classes": list(dataset.classes), "channels": dataset.channels}

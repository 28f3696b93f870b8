"""What the files of a data set hold, read one by one."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.progress import track

from nestbench.datasets.arrays import read_sound, try_each
from nestbench.datasets.contract import Case, Dataset
from nestbench.datasets.objects import measure
from nestbench.errors import RequestError

Found = TypeVar("Found")

_LISTED = 9
"""Sizes that are listed; more are told by their range."""


class Content(NamedTuple):
    """What is kept of one case."""

    shape: tuple[int, ...]
    """(H, W) or (D, H, W)."""
    spacing: tuple[float, ...] | None
    pixels: NDArray[np.int64]
    """Of each class."""
    objects: pd.DataFrame


def take_inventory(dataset: Dataset) -> dict[str, Any]:
    """Read every case: counts, sizes, spacings, the classes' shares of all pixels, and a sentence for each broken case.

    Sizes are width x height in pixels, of volumes depth x height x width, the most frequent first; spacings are in mm
    along the axes of an array; numbers and diameters of objects are as ``datasets.objects`` has them. What is not known
    is None.
    """
    read = list(reading(dataset.cases(), partial(_content, dataset)))
    sound = [one for one in read if not isinstance(one, RequestError)]
    objects = pd.concat([one.objects for one in sound]) if sound else pd.DataFrame(columns=["diameter", "diameter_mm"])
    pixels = np.sum([one.pixels for one in sound], axis=0) if sound else np.zeros(len(dataset.classes))
    shares = pixels / max(pixels.sum(), 1)
    return count(dataset) | {
        "sizes": dict(Counter(_size(one.shape) for one in sound).most_common()),
        "spacings": _range([one.spacing for one in sound if one.spacing]),
        "without_spacing": sum(one.spacing is None for one in sound),
        "shares": {name: round(float(share), 4) for name, share in zip(dataset.classes, shares, strict=True)},
        "objects": _summary([len(one.objects) for one in sound]),
        "without_objects": sum(not len(one.objects) for one in sound),
        "diameters": _summary(objects["diameter"]),
        "diameters_mm": _summary(objects["diameter_mm"].dropna()),
        "problems": [str(one) for one in read if isinstance(one, RequestError)],
    }


def count(dataset: Dataset) -> dict[str, Any]:
    """What is known before any image is read."""
    cases = dataset.cases()
    subjects = len({case.subject for case in cases})
    kind = {"classes": list(dataset.classes), "channels": dataset.channels, "dims": dataset.dims}
    return {"cases": len(cases), "subjects": subjects} | kind


def reading(cases: Sequence[Case], read: Callable[[Case], Found]) -> Generator[Found | RequestError]:
    """What ``read`` gives of each case, or why it refuses it; with a progress bar on a terminal."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(try_each(cases, read), "reading", len(cases), console=console, transient=True, disable=hidden)


def phrased(found: dict[str, Any]) -> dict[str, Any]:
    """An inventory for people."""
    axes = " x ".join("DHW"[-found["dims"] :] if found["dims"] == 3 else "WH")
    mm = f", {_spread(found['diameters_mm'])} mm" if found["diameters_mm"] else ""
    empty = f", none in {found['without_objects']} cases" if found["without_objects"] else ""
    said = {key: found[key] for key in ("cases", "subjects", "classes", "channels", "dims")}
    return said | {
        f"sizes ({axes})": _sizes(found["sizes"]),
        "spacing": _spacing(found),
        "shares": {name: f"{100 * share:.2f} %" for name, share in found["shares"].items()},
        "objects a case": f"{_spread(found['objects'])}{empty}",
        "diameters": f"{_spread(found['diameters'])} pixels{mm}" if found["diameters"] else "no object",
    }


def _content(dataset: Dataset, case: Case) -> Content:
    sample = read_sound(dataset, case)
    pixels = np.bincount(sample.mask.ravel(), minlength=len(dataset.classes))
    return Content(sample.mask.shape, sample.spacing, pixels, measure(sample.mask, sample.instances, sample.spacing))


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape if len(shape) == 3 else shape[::-1]))


def _range(spacings: list[tuple[float, ...]]) -> list[list[float]] | None:
    """The least and the most along each axis."""
    if not spacings:
        return None
    return np.round([np.min(spacings, axis=0), np.max(spacings, axis=0)], 4).tolist()  # type: ignore[no-any-return]


def _summary(values: ArrayLike) -> dict[str, float] | None:
    found = np.asarray(values, np.float64)
    if not found.size:
        return None
    return {
        "median": round(float(np.median(found)), 1),
        "min": round(float(found.min()), 1),
        "max": round(float(found.max()), 1),
    }


def _sizes(sizes: dict[str, int]) -> Any:
    if len(sizes) <= _LISTED:
        return sizes
    axes = np.array([[int(n) for n in size.split("x")] for size in sizes]).T
    return f"{len(sizes)} sizes, {_ranges(axes.min(axis=1), axes.max(axis=1))}"


def _spacing(found: dict[str, Any]) -> str:
    if not found["spacings"]:
        return "not known"
    missing = f"; not known in {found['without_spacing']} cases" if found["without_spacing"] else ""
    return f"{_ranges(*found['spacings'])} mm{missing}"


def _ranges(low: Sequence[float], high: Sequence[float]) -> str:
    """``31 to 43 x 40 to 59``; one number where both ends are the same."""
    return " x ".join(f"{a:g}" if a == b else f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True))


def _spread(summary: dict[str, float] | None) -> str:
    return f"{summary['median']:g} ({summary['min']:g} to {summary['max']:g})" if summary else "not known"

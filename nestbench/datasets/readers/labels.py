"""From the values of a label to a mask of classes, on the grid of its image, or to objects."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestbench.datasets.contract import Labels, Sample
from nestbench.errors import RequestError
from nestbench.formats.geometry import Volume, canonical, onto
from nestbench.formats.pictures import Pixels

MOST_OBJECTS = 2**16 - 1
"""Objects of one label image: more are no objects, but the grey values of some other image."""

_NAMED = 5


def sample_of(image: Volume, label: Volume, classes: Mapping[int, int], hint: str = "") -> Sample:
    """An image and its label on one grid, turned to the canonical orientation; ``classes`` as in ``classified``.

    Raises RequestError that names the file: values that are not numbers, not declared, or a grid of its own.
    """
    if image.values.dtype.kind == "f" and not np.isfinite(image.values).all():
        raise RequestError(f"image '{image.source}' holds values that are not numbers")
    if label.values.ndim == 4:
        raise RequestError(f"mask '{label.source}' holds {label.values.shape[3]} values a voxel: it needs one")
    mask = replace(label, values=classified(label.values, classes, label.source, hint))
    mask, turned = canonical(onto(mask, image)), canonical(image)
    pixels = turned.values if turned.values.ndim == 4 else turned.values[..., None]
    return Sample(np.ascontiguousarray(pixels), np.ascontiguousarray(mask.values), None, turned.spacing)


def classified(values: NDArray[Any], classes: Mapping[int, int], source: Path, hint: str = "") -> Pixels:
    """Index of the class for each value of a mask, of any shape and type; ``classes`` maps values to indices.

    Raises RequestError for any other value, be it a fraction; ``hint`` ends its sentence.
    """
    declared = np.array(sorted(classes))
    indices = np.array([classes[value] for value in declared.tolist()], np.uint8)
    mask = np.empty(values.shape, np.uint8)
    strange = np.empty(0)
    # A slice at a time: positions take eight bytes a voxel.
    for plane, marked in zip(values, mask, strict=True):
        place = np.minimum(np.searchsorted(declared, plane), len(declared) - 1)
        marked[...] = indices[place]
        odd = plane[declared[place] != plane]
        strange = np.union1d(strange, odd) if len(odd) else strange
        if len(strange) > _NAMED:
            break
    if len(strange):
        more = ", ..." if len(strange) > _NAMED else ""
        said = hint or f": its classes are {_listed(declared)}"
        raise RequestError(
            f"mask '{source}' has values that are not declared ({_listed(strange[:_NAMED])}{more}){said}"
        )
    return mask


def numbered(values: NDArray[np.int64], source: Path) -> Labels:
    """Objects of a label image, in which each value but 0 is one: numbered from 1 on, in the order of their values.

    Raises RequestError for values below 0, and for more than MOST_OBJECTS.
    """
    found, places = np.unique(values, return_inverse=True)
    if found[0] < 0:
        raise RequestError(f"label image '{source}' has the value {found[0]}: 0 is the background, objects are above")
    first = int(found[0] > 0)
    objects = len(found) - 1 + first
    if objects > MOST_OBJECTS:
        raise RequestError(f"label image '{source}' has {objects:,} objects, and can have {MOST_OBJECTS:,} at most")
    return (places.reshape(values.shape) + first).astype(np.int32)


def _listed(values: NDArray[Any]) -> str:
    return ", ".join(f"{value:.10g}" for value in values.tolist())

"""Where the voxels of a volume lie in the body, and how a label is brought to the grid of its image.

Millimetres are RAS+, as in NIfTI: x grows to the patient's right, y to the front, z to the head.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel import orientations
from numpy.typing import NDArray

from nestbench.errors import RequestError

Affine = NDArray[np.float64]

ORIENTATION = "SPL"
"""Canonical: D runs to the head (superior), H to the back (posterior), W to the patient's left, as films are hung."""

UNPLACED: Affine = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)
"""The affine of a volume that says nothing of its place: canonical as it is, a millimetre a step."""

TOLERANCE = 0.1
"""Steps that the corners of two grids may lie apart where they count as one: headers are rounded."""

MARGIN = 1
"""Steps of a mask by which it may end before its image, on each side, where it has other steps than its image."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a regular grid, and where that grid lies."""

    values: NDArray[Any]
    """(D, H, W), or (D, H, W, C) where a file holds several channels."""
    affine: Affine
    """(4, 4), from index (d, h, w, 1) to millimetres (x, y, z, 1) in RAS+."""
    source: Path
    """File or folder that it was read from, for errors."""
    placed: bool = True
    """False where the source does not say where it lies, so that the affine is no more than a scale."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W)."""
        depth, height, width = self.values.shape[:3]
        return depth, height, width

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Millimetres along D, H and W; None where the source gives none: no place, and 1 along each axis."""
        depth, height, width = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return (depth, height, width) if self.placed or (depth, height, width) != (1, 1, 1) else None

    @property
    def orientation(self) -> str:
        """Where D, H and W run to: three of R, L, A, P, S, I."""
        return "".join(nibabel.aff2axcodes(self.affine))


def canonical(volume: Volume) -> Volume:
    """The same voxels with axes in ORIENTATION, by flips and transposes only."""
    return _turned(volume, orientations.axcodes2ornt(ORIENTATION))


def same_grid(image: Volume, label: Volume, tolerance: float = TOLERANCE) -> bool:
    """Whether index by index two volumes describe one place: corners differ by at most ``tolerance`` steps.

    Where one of them does not say where it lies, the sizes decide.
    """
    if image.shape != label.shape or not (image.placed and label.placed):
        return image.shape == label.shape
    corners = _corners(image)
    return bool(np.abs(_index_map(label, image) @ corners - corners).max() <= tolerance)


def onto(label: Volume, image: Volume) -> Volume:
    """A label on the grid of its image: exact where axes are only flipped or swapped, else the nearest voxel's value.

    A label that has other steps, or covers more of the body, is resampled. One that covers less is refused, for nobody
    has said what the rest is; so is one of the image's size that lies elsewhere, for it was drawn on that grid, and one
    of the headers is wrong.

    Raises RequestError that names both files and what differs.
    """
    if same_grid(image, label):
        return replace(label, affine=image.affine, placed=image.placed)
    if not (image.placed and label.placed):
        raise _apart(image, label)
    turned = _turned(label, orientations.io_orientation(image.affine))
    if same_grid(image, turned):
        return replace(turned, affine=image.affine)
    if turned.shape == image.shape or not _covers(turned, image):
        raise _apart(image, turned)
    return _resampled(turned, image)


def stacked(volumes: Sequence[Volume]) -> Volume:
    """Volumes of one grid as the channels of one (D, H, W, C), placed as the first.

    Raises RequestError that names two files that differ.
    """
    first = volumes[0]
    for other in volumes[1:]:
        if not same_grid(first, other):
            raise _apart(first, other, kind="image")
    planes = [volume.values if volume.values.ndim == 4 else volume.values[..., None] for volume in volumes]
    return replace(first, values=np.concatenate(planes, axis=-1) if len(planes) > 1 else planes[0])


def reversed_axes(affine: NDArray[Any]) -> Affine:
    """The affine of an array whose three axes are reversed: from index (x, y, z, 1) to (d, h, w, 1)."""
    return np.asarray(affine, np.float64)[:, [2, 1, 0, 3]]


def _turned(volume: Volume, axes: NDArray[np.float64]) -> Volume:
    """The volume with axes as nibabel's orientation ``axes`` (3, 2)."""
    turn = orientations.ornt_transform(orientations.io_orientation(volume.affine), axes)
    values = orientations.apply_orientation(volume.values, turn)
    return replace(volume, values=values, affine=volume.affine @ orientations.inv_ornt_aff(turn, volume.shape))


def _index_map(label: Volume, image: Volume) -> Affine:
    """(4, 4), from an index of the image to that of the label at the same place."""
    return np.linalg.inv(label.affine) @ image.affine


def _corners(volume: Volume) -> NDArray[np.float64]:
    """(4, 8) indices of the outermost voxels."""
    return np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in volume.shape))], np.float64).T


def _covers(label: Volume, image: Volume) -> bool:
    """Whether all of the image lies in the label, as boxes along the label's axes, but for MARGIN.

    Where both have the same steps there is no margin: a slice that such a label lacks is missing.
    """
    index_map = _index_map(label, image)
    steps, others = (np.linalg.norm(volume.affine[:3, :3], axis=0) for volume in (label, image))
    margin = TOLERANCE if np.allclose(steps, others, rtol=TOLERANCE / max(image.shape)) else MARGIN
    reach = np.abs(index_map[:3, :3]).sum(axis=1) / 2
    places = (index_map @ _corners(image))[:3]
    low, high = places.min(axis=1) - reach, places.max(axis=1) + reach
    return bool((low >= -0.5 - margin).all() and (high <= np.array(label.shape) - 0.5 + margin).all())


def _resampled(label: Volume, image: Volume) -> Volume:
    """The label's nearest value at each voxel of the image, one slice at a time: coordinates take memory."""
    index_map = _index_map(label, image)
    plane = np.stack([*np.indices(image.shape[1:]), np.ones(image.shape[1:])], axis=1).astype(np.float64)
    values = np.zeros(image.shape, label.values.dtype)
    for depth, target in enumerate(values):
        index = np.einsum("ij,hjw->ihw", index_map[:3, 1:], plane) + depth * index_map[:3, :1, None]
        nearest = np.rint(index).astype(np.int64)
        inside = np.all([(axis >= 0) & (axis < n) for axis, n in zip(nearest, label.shape, strict=True)], axis=0)
        target[inside] = label.values[tuple(nearest[:, inside])]
    return replace(image, values=values, source=label.source)


def _apart(image: Volume, other: Volume, kind: str = "mask") -> RequestError:
    """The error for two volumes that do not lie on one another."""
    return RequestError(
        f"{kind} '{other.source}' does not lie on image '{image.source}': they differ in "
        + " and in ".join(_differences(image, other))
    )


def _differences(image: Volume, other: Volume) -> list[str]:
    """What two grids differ in, in words; the image's first."""
    ours, theirs = (np.linalg.norm(volume.affine[:3, :3], axis=0) for volume in (image, other))
    cosines = np.einsum("ij,ij->j", image.affine[:3, :3] / ours, other.affine[:3, :3] / theirs)
    angle = math.degrees(math.acos(np.clip(cosines.min(), -1, 1)))
    words = []
    if image.shape != other.shape:
        words.append(f"size ({_times(image.shape)} and {_times(other.shape)} voxels)")
    if not (image.placed and other.placed):
        return words
    if not np.allclose(ours, theirs, rtol=TOLERANCE / max(image.shape)):
        words.append(f"spacing ({_times(ours)} and {_times(theirs)} mm)")
    if angle > math.degrees(TOLERANCE / max(image.shape)):
        words.append(f"direction ({image.orientation} and {other.orientation}, {angle:.3g} degrees apart)")
    if np.abs(image.affine[:3, 3] - other.affine[:3, 3]).max() > TOLERANCE * ours.min():
        words.append(f"origin ({_listed(image)} and {_listed(other)} mm)")
    return words or ["place"]


def _times(numbers: Sequence[float] | NDArray[np.float64]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)


def _listed(volume: Volume) -> str:
    return ", ".join(f"{number:.4g}" for number in volume.affine[:3, 3])

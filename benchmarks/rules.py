"""What no learning at all finds: a rule for each data set, which a trained network must beat.

A rule sees one image (D, H, W, C), in the data set's own units or in 8 bits, and gives a class for each pixel.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_multiotsu, threshold_otsu

from nestbench.results.scores import dice, iou

Mask = NDArray[Any]
Values = NDArray[Any]

DISC = 0.36
"""Radius of the disc in which a nodule is looked for, of half of a slice's side: 23 of 64 pixels."""
BALL = 0.6
"""Radius of the ellipsoid in which a hippocampus is looked for, of half of the crop's sides."""
TISSUE = (40, 200)
"""Hounsfield units of a liver in CT with contrast agent."""


class Rule(NamedTuple):
    """How a data set is segmented without learning."""

    find: Callable[[Values], Mask]
    reason: str


def scores(found: Mask, true: Mask, classes: int) -> tuple[float, float]:
    """IoU and Dice, each the mean over the classes but the background, with the suite's policy for empty ones."""
    pairs = [(found == c, true == c) for c in range(1, classes)]
    counts = [[np.sum(ours & theirs), np.sum(ours & ~theirs), np.sum(~ours & theirs)] for ours, theirs in pairs]
    tp, fp, fn = np.array(counts, np.float64).T
    return float(iou(tp, fp, fn).mean()), float(dice(tp, fp, fn).mean())


def _grey(image: Values) -> Values:
    """Brightness: colours weighted as eyes do, in whole numbers, which thresholds are exact for."""
    if image.shape[-1] != 3:
        return image[..., 0]
    return np.rint(image @ (0.299, 0.587, 0.114)).astype(np.uint8)


def _smaller(image: Values) -> Mask:
    grey = _grey(image)
    above = grey > threshold_otsu(grey)
    return above if above.mean() < 0.5 else ~above


def _dark(image: Values) -> Mask:
    grey = _grey(image)
    return grey < threshold_otsu(grey)


def _bright(image: Values) -> Mask:
    return ~_dark(image)


def _three(image: Values) -> Mask:
    grey = _grey(image)
    low, high = threshold_multiotsu(grey, 3)
    return np.where(grey < low, 2, np.where(grey < high, 1, 0))


def _disc(image: Values) -> Mask:
    planes = image[..., 0]
    height, width = _places(planes.shape[1:])
    inside = height**2 + width**2 <= DISC**2
    return np.stack([inside & (plane > threshold_otsu(plane[inside])) for plane in planes])


def _hot(image: Values) -> Mask:
    flair = image[..., 0]
    return flair > np.percentile(flair[flair > 0], 94)


def _ball(image: Values) -> Mask:
    depth, height, width = _places(image.shape[:3])
    return (depth**2 + height**2 + width**2 < BALL**2) * np.where(height < 0, 1, 2)


def _tissue(image: Values) -> Mask:
    parts, count = ndimage.label((image[..., 0] >= TISSUE[0]) & (image[..., 0] <= TISSUE[1]))
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1 if count else parts > 0


def _places(shape: tuple[int, ...]) -> list[Values]:
    """Place of each pixel along each axis, from -1 to 1."""
    return np.meshgrid(*((np.arange(n) + 0.5) / n * 2 - 1 for n in shape), indexing="ij")


RULES = {
    ("nuclei", ""): Rule(_smaller, "Otsu's threshold, the side that covers less: nuclei are bright or dark"),
    ("em", "membrane"): Rule(_dark, "Otsu's threshold: membranes are dark"),
    ("em", "cell"): Rule(_bright, "Otsu's threshold: what is no membrane is bright"),
    ("cell", "whole"): Rule(_dark, "Otsu's threshold: stained cells are dark"),
    ("cell", "parts"): Rule(_three, "Otsu's two thresholds: the nucleus is darkest, then the cytoplasm"),
    ("lung-slices", ""): Rule(_disc, f"Otsu's threshold in the middle disc of {DISC} of a slice: nodules are centred"),
    ("brain-tumor", "whole"): Rule(_hot, "Flair above its 94th percentile in the brain: oedema is bright"),
    ("decathlon", "Task04_Hippocampus"): Rule(
        _ball, f"an ellipsoid of {BALL} of the crop, its front and back half: brightness tells nothing here"
    ),
    ("liver", "liver"): Rule(_tissue, f"the largest part of {TISSUE[0]} to {TISSUE[1]} HU"),
    ("synthetic", ""): Rule(_smaller, "Otsu's threshold, the side that covers less: cells are bright or dark"),
}
"""By the data set's name, and its target or task where it has several."""

_DEFAULTS = {"em": "cell", "cell": "parts", "brain-tumor": "whole", "liver": "liver"}


def rule_for(name: str, options: dict[str, Any]) -> Rule | None:
    """The rule for a data set as a study asks for it; None where there is none."""
    if name == "brain-tumor" and options.get("modalities", ["flair"])[0] != "flair":
        return None
    target = options.get("target") or options.get("task") or _DEFAULTS.get(name, "")
    return RULES.get((name, str(target)))

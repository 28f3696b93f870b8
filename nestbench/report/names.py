"""What the report calls things: members by the papers' names, numbers as a reader expects them."""

import math

from nestbench.study.models import is_outside, split_depth
from nestbench.topology import parse

_TITLES = {
    "unet": "U-Net",
    "wide-unet": "wide U-Net",
    "unet-e": "U-Netᵉ",
    "unet+": "UNet+",
    "unet+ds": "UNet+ DS",
    "unet++": "UNet++",
    "unet++ds": "UNet++ DS",
    "maskrcnn": "Mask R-CNN",
    "maskrcnn+": "Mask RCNN+",
    "maskrcnn++": "Mask RCNN++",
}

NONE = "\N{EN DASH}"
"""Stands where there is no number."""

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def title(model: str, depth: int) -> str:
    """Printed name of a network; a depth other than the study's own is added, as in ``U-Net L2``.

    A network of another library keeps its name there, with the library's behind it: ``Unet (smp)``.
    """
    if is_outside(model):
        name, own = split_depth(model, depth)
        library, _, variant = name.partition(":")
        printed = f"{variant} ({library})"
    else:
        member, own = parse(model, depth)
        printed = _TITLES[member]
    return printed if own == depth else f"{printed} L{own}"


def points(value: float, digits: int = 1) -> str:
    """A share of 0 to 1 in points, with a true minus sign."""
    return NONE if math.isnan(value) else f"{100 * value:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 2) -> str:
    """A difference of shares in points, always with its sign."""
    return NONE if math.isnan(value) else f"{100 * value:+.{digits}f}".replace("-", MINUS)


def spread(mean: float, deviation: float) -> str:
    """Mean and standard deviation in points, ``83.41 ± 0.32``; the mean alone where there is no deviation."""
    return points(mean, 2) if math.isnan(deviation) else f"{points(mean, 2)} ± {points(deviation, 2)}"


def probability(p: float) -> str:
    """A p value with three digits behind the point."""
    return NONE if math.isnan(p) else "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def significant(value: float, scale: float = 1.0) -> str:
    """A positive quantity in a unit of ``scale``, to three significant digits."""
    if math.isnan(value):
        return NONE
    scaled = value / scale
    digits = 2 - math.floor(math.log10(scaled)) if scaled > 0 else 0
    return f"{scaled:.{max(digits, 0)}f}"


def shortened(name: str) -> str:
    """A case's id; of one too long for a line, such as a hash, its beginning."""
    return name if len(name) <= 24 else f"{name[:12]}\N{HORIZONTAL ELLIPSIS}"


def listed(names: list[str]) -> str:
    """Names in a sentence: ``A, B and C``."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 seed``, ``3 seeds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""How an output comes to objects, as a run chose it on the validation side."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from nestbench.instances.separate import Separation

SURE = 0.5
"""Score from which an object counts while a network is trained."""


@dataclass(frozen=True)
class Least:
    """How what a Mask R-CNN finds is decided for."""

    # A file of weights that says other things of a way does not mean this one.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    least: float = SURE
    """Score from which an object counts."""


Way = Separation | Least
"""Of a network of classes, or of a Mask R-CNN."""

"""What a data set is to the rest of nestbench: cases that can be read, and where they come from.

A plugin of the group ``nestbench.datasets`` is a callable ``Plugin(root, **options) -> Dataset``: ``root`` is the
folder that data sets are kept in, the options are the keys that a study writes beside the data set's name.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Case:
    """One image, and the subject (patient, slide) that cases are grouped by."""

    id: str
    subject: str


class Sample(NamedTuple):
    """What one case holds."""

    image: Pixels
    """(H, W, C), 0 to 255."""
    mask: Pixels
    """(H, W), index of the class."""
    instances: Labels | None
    """(H, W), a number for each object, 0 for the background; None in every case where objects are not told apart."""


@dataclass(frozen=True)
class About:
    """Where a data set comes from and what one may do with it."""

    title: str
    licence: str
    citation: str
    url: str


class Dataset(Protocol):
    """Cases of one kind, read one at a time from several threads."""

    @property
    def about(self) -> About:
        """Origin and licence."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the position is the value in a mask, the first is the background."""

    @property
    def channels(self) -> int:
        """Channels of every image."""

    def cases(self) -> tuple[Case, ...]:
        """Every case, in an order that is the same on every machine.

        Raises RequestError where the data is not there.
        """

    def read(self, case: Case) -> Sample:
        """Read one case.

        Raises RequestError that names the file at fault.
        """

    def fingerprint(self) -> Any:
        """JSON data that changes whenever the contents may have changed."""

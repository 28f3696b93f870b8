"""What a data set is to the rest of nestbench: cases that can be read, and where they come from.

A plugin of the group ``nestbench.datasets`` is a callable ``Plugin(root, **options) -> Dataset``: ``root`` is the
folder that data sets are kept in, the options are the keys that a study writes beside the data set's name.

A case is a picture (H, W) or a volume (D, H, W), of any size; a data set holds one kind. A volume's D is the axis that
slices are taken along.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nestbench.formats.pictures import Pixels

Labels = NDArray[np.int32]
Side = Literal["train", "validation", "test"]

SIDES: tuple[Side, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Case:
    """One image or volume, and the subject (patient, slide) that cases are grouped by."""

    id: str
    subject: str
    side: Side | None = None
    """The side of the data set's official split that it is on; None in every case where there is no such split."""


class Sample(NamedTuple):
    """What one case holds."""

    image: NDArray[Any]
    """(H, W, C) or (D, H, W, C): uint8 where values are brightness from 0 to 255; any other integer or floating type
    where they are a measurement (Hounsfield units, the scanner's numbers), which is brought to 8 bits later, as the
    study says."""
    mask: Pixels
    """(H, W) or (D, H, W), index of the class."""
    instances: Labels | None = None
    """Of the mask's shape, a number for each object, 0 for the background; None in every case where objects are not
    told apart."""
    spacing: tuple[float, ...] | None = None
    """Millimetres between neighbours along each axis of the mask; None where it is not known or not to be trusted."""


@dataclass(frozen=True)
class Download:
    """A file on a server, and what must be in it.

    By the name that the url ends in it is an archive, of which the files are taken (zip, tar, tar.gz, tar.bz2, tar.xz),
    or a file that is kept as it is (npz, nii.gz and all others).
    """

    url: str
    folder: str
    """Below the data root; an archive becomes this folder, which is its alone, and a file is put into it."""
    part: str = ""
    """The folder of the archive that is taken, so that ``folder`` stands for it; empty for all of the archive."""
    sha256: str = ""
    """Of the file as ``md5`` or this; empty where the server packs anew, so that only the content can be checked."""
    md5: str = ""
    content: str = ""
    """The sum ``datasets.fetch.content.content_of`` of what is put in place; empty where it is not known."""
    size: int = 0
    """Bytes of the file, about; 0 where it is not known."""


@dataclass(frozen=True)
class About:
    """Where a data set comes from and what one may do with it."""

    title: str
    licence: str
    citation: str
    url: str
    downloads: tuple[Download, ...] = ()
    """What ``nestbench dataset fetch`` gets; empty where nobody may without an account, and for one's own data."""
    obtain: str = ""
    """For a set that cannot be fetched: one sentence that says where to register and what to put where."""


class Dataset(Protocol):
    """Cases of one kind, read one at a time from several threads.

    One whose images are several files each, a file for each channel, may have ``marks`` besides: what the names of
    these files hold, such as nnU-Net's ``_0000.``, in the order of the channels. By them prediction finds the files.
    """

    @property
    def about(self) -> About:
        """Origin and licence."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the position is the value in a mask, the first is the background."""

    @property
    def channels(self) -> int:
        """Channels of every image."""

    @property
    def dims(self) -> int:
        """2 for pictures, 3 for volumes."""

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the cases for training, validation and test where a study says nothing: the papers' protocol."""

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

"""The sections of the ISBI 2012 challenge: electron microscopy of a fly's nerve cord.

train-volume.tif     30 pages of 512 x 512, grey of 8 bits: a page is a section
train-labels.tif     pages of the same size: 255 inside a cell, 0 elsewhere, which is mostly membrane

Neighbouring sections are 50 nm apart, pixels 4 nm, and the papers split the stack by section: so each section is a
picture and a subject of its own, though all of them are of one animal.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from nestbench.datasets.contract import About, Case, Download, Sample
from nestbench.datasets.readers.labels import classified
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.pictures import check_size, naming, size_of
from nestbench.formats.stacks import pages
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

VOLUME, LABELS = "train-volume.tif", "train-labels.tif"
FOLDERS = ("", "em", "em/ISBI-2012-challenge", "ISBI-2012-challenge", "em_isbi2012")
SOURCE = "they are in ISBI-2012-challenge.zip of https://imagej.net/events/isbi-2012-segmentation-challenge"
INSIDE = 255


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the two stacks; without it, FOLDERS below the data root."""
    target: Literal["cell", "membrane"] = "cell"
    """The class that is not background. The papers' IoU of 88 to 89 % is that of the cells, which cover 78 % of a
    section, so that calling everything cell has 78 %; membranes are what is hard to find."""


class Em:
    """Cells or membranes in 30 sections of electron microscopy."""

    about = About(
        title="ISBI 2012 challenge, segmentation of neuronal structures in EM stacks",
        licence="free for making or testing non-commercial image segmentation software, cited",
        citation="Arganda-Carreras et al. Crowdsourcing the creation of image segmentation algorithms for "
        "connectomics. Frontiers in Neuroanatomy 9, 142 (2015); Cardona et al. An integrated micro- and "
        "macroarchitectural analysis of the Drosophila brain. PLoS Biology 8, e1000502 (2010)",
        url="https://imagej.net/events/isbi-2012-segmentation-challenge",
        downloads=(Download("https://downloads.imagej.net/ISBI-2012-challenge.zip", "em"),),
    )
    channels = 1
    dims = 2
    shares = (0.8, 0.1, 0.1)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'em'", Options, options)

    @property
    def classes(self) -> tuple[str, ...]:
        """The background, and the target."""
        return ("background", self._options.target)

    def cases(self) -> tuple[Case, ...]:
        """Every section, numbered from "00" in the order of the pages.

        Raises RequestError where a stack is missing or unreadable, or one has more pages than the other.
        """
        folder = self._folder
        sections, labels = _pages(folder / VOLUME), _pages(folder / LABELS)
        if sections != labels:
            raise RequestError(
                f"'{folder / VOLUME}' and {LABELS} have {sections} and {labels} pages: one may be cut off"
            )
        return tuple(Case(f"{page:02d}", f"{page:02d}") for page in range(sections))

    def read(self, case: Case) -> Sample:
        """One section and its target.

        Raises RequestError that names the file and page: unreadable, of another size, a value that is not 0 or 255.
        """
        folder, page = self._folder, int(case.id)
        image, labels = _page(folder / VOLUME, page), _page(folder / LABELS, page)
        if labels.shape != image.shape:
            raise RequestError(f"page {page} of '{folder / LABELS}' is {size_of(labels)}, its section {size_of(image)}")
        inside = int(self._options.target == "cell")
        classes, hint = {0: 1 - inside, INSIDE: inside}, f" on page {page}: labels are 0 and {INSIDE}"
        return Sample(image[..., None], classified(labels, classes, folder / LABELS, hint))

    def fingerprint(self) -> Any:
        """Target, and place, size and time of both stacks."""
        folder = self._folder
        files = [
            [name, (folder / name).stat().st_size, (folder / name).stat().st_mtime_ns] for name in (VOLUME, LABELS)
        ]
        return {"reader": 1, "folder": str(folder.resolve()), "files": files, "target": self._options.target}

    @cached_property
    def _folder(self) -> Path:
        def has_both(place: Path) -> bool:
            return (place / VOLUME).is_file() and (place / LABELS).is_file()

        looked = places(self._root, self._options.path, FOLDERS)
        return place_of("em", looked, has_both, f"holds {VOLUME} and {LABELS}; {SOURCE}")


def _pages(path: Path) -> int:
    with naming(path):
        return pages(path)


def _page(path: Path, number: int) -> NDArray[Any]:
    """One page (H, W) of a stack, without reading the others."""
    with naming(path), tifffile.TiffFile(path) as file:
        page = file.pages[number]
        check_size(path, page.size)
        if page.axes != "YX":
            raise RequestError(f"page {number} of '{path}' is no grey picture: it has the axes {page.axes}")
        return np.asarray(page.asarray())

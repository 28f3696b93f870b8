"""The nuclei of the 2018 Data Science Bowl, in the official layout of stage1_train.

<id>/images/<id>.png     RGBA of 8 bits, the alpha always full
<id>/masks/*.png         grey 0 and 255, one nucleus a file

The images are of fluorescence and of stained tissue, in nine sizes; each is a subject of its own.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nestbench.datasets.contract import About, Case, Download, Labels, Sample
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.listing import files, folders, stamps
from nestbench.formats.pictures import naming, opened, read_image, size_of
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

PLACES = ("stage1_train", "dsb2018/stage1_train", "nuclei/stage1_train")
SOURCE = "it is stage1_train of Kaggle's data-science-bowl-2018, also kept as BBBC038 by the Broad Institute"


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the images' own folders; without it, PLACES below the data root."""


class Nuclei:
    """Nuclei against the background: 670 images of several microscopes, stains and magnifications."""

    about = About(
        title="2018 Data Science Bowl, stage1_train",
        licence="CC0-1.0",
        citation="Caicedo et al. Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl. "
        "Nature Methods 16, 1247-1253 (2019)",
        url="https://bbbc.broadinstitute.org/BBBC038",
        downloads=(
            Download(
                "https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",
                "nuclei/stage1_train",
                content="ed3caf2293a05afb7604f996957a82321e314bc8df1347741664bc3e69ad7a72",
                size=83_000_000,
            ),
        ),
    )
    classes = ("background", "nucleus")
    channels = 3
    dims = 2
    shares = (0.5, 0.2, 0.3)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._path = checked("data set 'nuclei'", Options, options).path

    def cases(self) -> tuple[Case, ...]:
        """Every folder of an image, by name.

        Raises RequestError where the folder is missing or empty.
        """
        folder = self._folder()
        names = folders(folder)
        if not names:
            raise RequestError(f"'{folder}' is empty: it should hold a folder for each image; {SOURCE}")
        return tuple(Case(name, name) for name in names)

    def read(self, case: Case) -> Sample:
        """Image (RGB), union of the nuclei, and the nuclei numbered in the order of their files' names.

        Raises RequestError that names the file at fault.
        """
        folder = self._folder() / case.id
        path = folder / "images" / f"{case.id}.png"
        image = read_image(path, self.channels)
        masks = files(folder / "masks", (".png",)) if (folder / "masks").is_dir() else []
        if not masks:
            raise RequestError(f"image '{path}' has no masks in '{folder / 'masks'}'")
        instances = np.zeros(image.shape[:2], np.int32)
        for number, file in enumerate(masks, start=1):
            _mark(instances, number, file)
        return Sample(image, (instances > 0).astype(np.uint8), instances)

    def fingerprint(self) -> Any:
        """Place, name, size and time of each file."""
        folder = self._folder()
        return {"reader": 1, "folder": str(folder.resolve()), "files": stamps(folder)}

    def _folder(self) -> Path:
        return place_of("nuclei", places(self._root, self._path, PLACES), Path.is_dir, f"is a folder; {SOURCE}")


def _mark(instances: Labels, number: int, file: Path) -> None:
    """Write the nucleus of one mask file into ``instances``, in its bounding box only: most files are nearly empty."""
    with naming(file), opened(file) as picture:
        mask = picture.convert("L")
    if mask.size != instances.shape[::-1]:
        raise RequestError(f"mask '{file}' is {mask.width} x {mask.height} pixels, its image {size_of(instances)}")
    box = mask.getbbox()
    if box:
        left, top, right, bottom = box
        instances[top:bottom, left:right][np.asarray(mask.crop(box)) > 0] = number

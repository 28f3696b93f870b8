"""White blood cells in stained smears: the public set that stands in for the papers' own, which never was.

Dataset 1/NNN.bmp     colour of 8 bits, 88 to 120 pixels a side
Dataset 1/NNN.png     grey: 0 background and red cells, 128 cytoplasm, 255 nucleus

Nothing is told of patients, so each image is a subject of its own. "Dataset 2", of other stains and microscopes, is
not read.
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nestbench.datasets.contract import About, Case, Download, Sample
from nestbench.datasets.readers.labels import classified
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.listing import files, refuse_alike, stamps
from nestbench.formats.pictures import read_image, read_values, size_of
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

COMMIT = "fa9c01622f52bccb9aeb8a6f2628f564e377767d"
FOLDER = "Dataset 1"
ARCHIVES = ("", "cell", "cell_wbc", "segmentation_WBC-master")
SOURCE = "it is 'Dataset 1' of https://github.com/zxaoyou/segmentation_WBC"
IMAGE, MASK = ".bmp", ".png"
VALUES = (0, 128, 255)
"""Grey of the background, the cytoplasm and the nucleus."""


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the images and masks; without it, FOLDER in one of ARCHIVES below the data root."""
    target: Literal["parts", "whole"] = "parts"
    """Cytoplasm and nucleus as two classes, or the whole cell as one."""


class Cell:
    """White blood cells, their cytoplasm and nucleus: 300 images of a light microscope."""

    about = About(
        title="White blood cells, Dataset 1 of Zheng et al.",
        licence="GPL-3.0 (of the repository); acknowledge Jiangxi Tecom Science Corporation",
        citation="Zheng et al. Fast and robust segmentation of white blood cell images by self-supervised learning. "
        "Micron 107, 55-71 (2018)",
        url="https://github.com/zxaoyou/segmentation_WBC",
        downloads=(
            Download(
                f"https://github.com/zxaoyou/segmentation_WBC/archive/{COMMIT}.zip",
                f"cell/{FOLDER}",
                part=f"segmentation_WBC-{COMMIT}/{FOLDER}",
                content="8b8bf5d3893f6ca7b14f7add65f89b782247fe936afd0512833c32226060690d",
            ),
        ),
    )
    channels = 3
    dims = 2
    shares = (0.6, 0.2, 0.2)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'cell'", Options, options)

    @property
    def classes(self) -> tuple[str, ...]:
        """The background and the two parts, or the background and the cell."""
        return ("background", "cell") if self._options.target == "whole" else ("background", "cytoplasm", "nucleus")

    def cases(self) -> tuple[Case, ...]:
        """Every name that an image or a mask has; ``read`` refuses a name that only one of them has.

        Raises RequestError where the folder is missing or empty, and for names that differ only in case.
        """
        names = {path.stem for path in self._files}
        if not names:
            raise RequestError(f"'{self._folder}' is empty: it should hold NNN.bmp and NNN.png; {SOURCE}")
        # A name in two cases may also be that of the image and that of the mask.
        refuse_alike(self._folder, names | {path.name for path in self._files})
        return tuple(Case(name, name) for name in sorted(names))

    def read(self, case: Case) -> Sample:
        """Image (RGB) and the classes of one name.

        Raises RequestError that names the file: no pair, unreadable, of another size, a value that is none of VALUES.
        """
        image_path, mask_path = self._only(case.id, IMAGE), self._only(case.id, MASK)
        image, values = read_image(image_path, self.channels), read_values(mask_path)
        if values.shape != image.shape[:2]:
            raise RequestError(f"mask '{mask_path}' is {size_of(values)}, its image {size_of(image)}")
        classes = {value: min(part, len(self.classes) - 1) for part, value in enumerate(VALUES)}
        return Sample(image, classified(values, classes, mask_path))

    def fingerprint(self) -> Any:
        """Target, and place, name, size and time of each file."""
        folder = self._folder
        return {
            "reader": 1,
            "folder": str(folder.resolve()),
            "files": stamps(folder),
            "target": self._options.target,
        }

    @cached_property
    def _folder(self) -> Path:
        looked = places(self._root, self._options.path, [f"{archive}/{FOLDER}".lstrip("/") for archive in ARCHIVES])
        return place_of("cell", looked, Path.is_dir, f"is a folder; {SOURCE}")

    @cached_property
    def _files(self) -> list[Path]:
        return files(self._folder, (IMAGE, MASK))

    def _only(self, name: str, suffix: str) -> Path:
        """The image or mask of a name."""
        found = [path for path in self._files if path.stem == name and path.suffix.lower() == suffix]
        if not found:
            kind = "image" if suffix == IMAGE else "mask"
            raise RequestError(f"'{name}' in '{self._folder}' has no {kind} '{name}{suffix}'")
        return found[0]

"""One's own images and masks, in two folders and paired by name.

DIR/images/NAME.png     PNG, TIFF, JPEG or BMP
DIR/masks/NAME.png      PNG, TIFF or BMP; each value is declared as a class

A study names them so, every key but ``path`` with a default:

    {name: folder, path: DIR, classes: {background: 0, cell: 255}, subject: '(patient[0-9]+)_', images: images,
     masks: masks}
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from nestbench.datasets.contract import About, Case, Pixels, Sample
from nestbench.datasets.listing import files, stamps
from nestbench.datasets.pictures import SUFFIXES, is_grey, read_image, read_values, size_of
from nestbench.datasets.problems import refuse
from nestbench.errors import RequestError
from nestbench.study.schema import Frozen
from nestbench.study.sentences import checked

Value = Annotated[int, Field(ge=0)]
BACKGROUND = "background"


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str
    """Folder of the images and masks: absolute, or below the current folder, or below the data root."""
    classes: dict[str, Value] = Field(default={BACKGROUND: 0, "foreground": 255})
    """Value of each class in the masks."""
    subject: str | None = None
    """Regular expression with one group, which finds the subject in a file's name; without it each image is one."""
    images: str = "images"
    masks: str = "masks"

    @field_validator("classes")
    @classmethod
    def _classes_can_be_told_apart(cls, classes: dict[str, int]) -> dict[str, int]:
        if BACKGROUND not in classes:
            raise ValueError(f"no value is declared for '{BACKGROUND}', as in {{{BACKGROUND}: 0, cell: 255}}")
        if not 2 <= len(classes) <= 256:
            raise ValueError(f"{len(classes)} classes are declared, and there can be 2 to 256")
        if len(set(classes.values())) < len(classes):
            raise ValueError("two classes are declared with the same value")
        return classes

    @field_validator("subject")
    @classmethod
    def _subject_is_one_group(cls, subject: str | None) -> str | None:
        try:
            groups = 1 if subject is None else re.compile(subject).groups
        except re.error as error:
            raise ValueError(f"'{subject}' is no regular expression: {error}") from error
        if groups != 1:
            raise ValueError(f"'{subject}' has {groups} groups, and needs one: the part in brackets is the subject")
        return subject


class Folder:
    """Images and masks that somebody keeps in two folders; objects are not told apart."""

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'folder'", Options, options)

    @property
    def about(self) -> About:
        """The folder's name; nothing else is known."""
        return About(title=Path(self._options.path).resolve().name, licence="not stated", citation="", url="")

    @property
    def classes(self) -> tuple[str, ...]:
        """The background, then the others as they are declared."""
        return (BACKGROUND, *(name for name in self._options.classes if name != BACKGROUND))

    @cached_property
    def channels(self) -> int:
        """1 where every image is grey, else 3."""
        return 1 if all(is_grey(path) for paths in self._images.values() for path in paths) else 3

    def cases(self) -> tuple[Case, ...]:
        """Every name that an image or a mask has; ``read`` refuses a name that only one of them has.

        Raises RequestError for a missing or empty folder, and names in which no subject is found.
        """
        names = sorted(self._images.keys() | self._masks.keys())
        if not self._images:
            raise RequestError(f"'{self._parts[0]}' is empty: it should hold {', '.join(SUFFIXES)}")
        pattern = re.compile(self._options.subject or "(.*)")
        found = {name: pattern.search(name) for name in names}
        lost = [f"'{name}'" for name, match in found.items() if not (match and match[1])]
        refuse(f"the expression '{pattern.pattern}' finds no subject in", lost)
        return tuple(Case(name, match[1]) for name, match in found.items() if match)

    def read(self, case: Case) -> Sample:
        """Image and classes of one name.

        Raises RequestError that names the file: no pair, two of a name, unreadable, of another size, a value that is
        not declared.
        """
        image_path, mask_path = self._pair(case.id)
        image = read_image(image_path, self.channels)
        values = read_values(mask_path)
        if values.shape != image.shape[:2]:
            raise RequestError(f"mask '{mask_path}' is {size_of(values)}, its image {size_of(image)}")
        return Sample(image, self._classified(values, mask_path), None)

    def fingerprint(self) -> Any:
        """Options, and place, name, size and time of each file."""
        listed = [[str(folder.resolve()), stamps(folder)] for folder in self._parts]
        declared = [[name, self._options.classes[name]] for name in self.classes]
        return {"reader": 1, "files": listed, "classes": declared, "subject": self._options.subject}

    @cached_property
    def _parts(self) -> tuple[Path, Path]:
        """Folders of the images and of the masks."""
        path = Path(self._options.path).expanduser()
        places = list(dict.fromkeys((path, self._root / path)))
        for place in places:
            if place.is_dir():
                return place / self._options.images, place / self._options.masks
        listed = " nor ".join(f"'{place}'" for place in places)
        raise RequestError(f"data set 'folder' is not there: neither {listed} is a folder")

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        return _by_stem(self._parts[0])

    @cached_property
    def _masks(self) -> dict[str, list[Path]]:
        return _by_stem(self._parts[1])

    def _pair(self, name: str) -> tuple[Path, Path]:
        images, masks = self._images.get(name, []), self._masks.get(name, [])
        for kind, paths in (("image", images), ("mask", masks)):
            if len(paths) > 1:
                raise RequestError(f"{kind} '{paths[0]}' and '{paths[1]}' have one name, and pairs are made by name")
        if not masks:
            raise RequestError(f"image '{images[0]}' has no mask of its name in '{self._parts[1]}'")
        if not images:
            raise RequestError(f"mask '{masks[0]}' has no image of its name in '{self._parts[0]}'")
        return images[0], masks[0]

    def _classified(self, values: NDArray[np.int64], path: Path) -> Pixels:
        declared = [self._options.classes[name] for name in self.classes]
        strange = np.setdiff1d(values, declared)
        if len(strange):
            given = ", ".join(f"{name}: {value}" for name, value in self._options.classes.items())
            shown = ", ".join(map(str, strange[:5])) + (", ..." if len(strange) > 5 else "")
            raise RequestError(
                f"mask '{path}' has values that are not declared ({shown}): "
                f"declare each under a name, as in classes: {{{given}, NAME: {strange[0]}}}"
            )
        order = np.argsort(declared)
        return order[np.searchsorted(np.asarray(declared)[order], values)].astype(np.uint8)


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in files(folder, SUFFIXES):
        found.setdefault(path.stem, []).append(path)
    return found

"""One's own images and masks, in two folders and paired by name: pictures, or volumes.

DIR/images/NAME.png     PNG, TIFF, JPEG or BMP
DIR/masks/NAME.png      PNG, TIFF or BMP; each value is declared as a class, or with ``instances`` is an object

DIR/images/NAME.nii.gz  NIfTI, NRRD, MetaImage, a TIFF of many pages, or a folder NAME of a DICOM series
DIR/masks/NAME.nii.gz   any of these but a series; it may be stored with other axes than its image

A study names them so, every key but ``path`` with a default:

    {name: folder, path: DIR, classes: {background: 0, cell: 255}, subject: '(patient[0-9]+)_', images: images,
     masks: masks, instances: false}
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.labels import classified, numbered, sample_of
from nestbench.datasets.readers.places import place_of, places
from nestbench.datasets.readers.subjects import Pattern, cases_of
from nestbench.errors import RequestError
from nestbench.formats import pictures, volumes
from nestbench.formats.listing import folders, refuse_alike, stamps
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

Value = Annotated[int, Field(ge=0)]
BACKGROUND = "background"

_SUFFIXES = tuple(dict.fromkeys((*pictures.SUFFIXES, *volumes.SUFFIXES)))


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str
    """Folder of the images and masks: absolute, or below the current folder, or below the data root."""
    classes: dict[str, Value] = Field(default={BACKGROUND: 0, "foreground": 255})
    """Value of each class in the masks."""
    subject: Pattern | None = None
    """Regular expression with one group, which finds the subject in a file's name; without it each image is one."""
    images: str = "images"
    masks: str = "masks"
    instances: bool = False
    """Whether the masks are label images: 0 is the background, and each other value an object of the one class."""

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

    @model_validator(mode="after")
    def _objects_are_of_one_class(self) -> "Options":
        if self.instances and len(self.classes) > 2:
            raise ValueError(f"with instances all objects are of one class, and classes names {len(self.classes) - 1}")
        return self


class Folder:
    """Images and masks, or label images, that somebody keeps in two folders."""

    shares = (0.5, 0.2, 0.3)

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
    def dims(self) -> int:
        """3 where the images are volumes, else 2."""
        return 3 if any(holds.volume for holds in self._holds.values()) else 2

    @cached_property
    def channels(self) -> int:
        """As many as any image has: 1 where every picture is grey, else 3."""
        return max((holds.channels for holds in self._holds.values()), default=1)

    def cases(self) -> tuple[Case, ...]:
        """Every name that an image or a mask has; ``read`` refuses a name that only one of them has.

        Raises RequestError for a missing or empty folder, pictures among volumes, label images that are volumes, names
        that differ only in case, and names in which no subject is found.
        """
        names = sorted(self._images.keys() | self._masks.keys())
        if not self._images:
            raise RequestError(f"'{self._parts[0]}' is empty: it should hold {', '.join(_SUFFIXES)} or DICOM series")
        refuse_alike(self._parts[0].parent, names)
        kinds = {holds.volume: path for path, holds in self._holds.items()}
        if len(kinds) > 1:
            raise RequestError(
                f"'{kinds[False]}' is a picture and '{kinds[True]}' a volume: keep them in two data sets"
            )
        if self._options.instances and True in kinds:
            raise RequestError(f"'{kinds[True]}' is a volume: instances are read of pictures only")
        return cases_of(names, self._options.subject)

    def read(self, case: Case) -> Sample:
        """Image and classes of one name; volumes are turned to ``geometry.ORIENTATION``.

        Raises RequestError that names the file: no pair, two of a name, unreadable, of another size or grid, a value
        that is not declared.
        """
        image, mask = self._pair(case.id)
        return self._volume(image, mask) if self.dims == 3 else self._picture(image, mask)

    def fingerprint(self) -> Any:
        """Options, and place, name, size and time of each file."""
        listed = [[str(folder.resolve()), stamps(folder)] for folder in self._parts]
        declared = [[name, self._options.classes[name]] for name in self.classes]
        told = {"instances": True} if self._options.instances else {}
        return {"reader": 1, "files": listed, "classes": declared, "subject": self._options.subject} | told

    @cached_property
    def _parts(self) -> tuple[Path, Path]:
        """Folders of the images and of the masks."""
        place = place_of("folder", places(self._root, self._options.path), Path.is_dir, "is a folder")
        return place / self._options.images, place / self._options.masks

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        folder = self._parts[0]
        found = volumes.by_stem(folder, _SUFFIXES)
        for name in folders(folder):
            if volumes.is_series(folder / name):
                found.setdefault(name, []).append(folder / name)
        return found

    @cached_property
    def _masks(self) -> dict[str, list[Path]]:
        return volumes.by_stem(self._parts[1], _SUFFIXES)

    @cached_property
    def _holds(self) -> dict[Path, volumes.Holds]:
        """What each image holds by its header, but for those that cannot be read."""
        looked = {path: volumes.look(path) for paths in self._images.values() for path in paths}
        return {path: holds for path, holds in looked.items() if holds}

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

    def _picture(self, image_path: Path, mask_path: Path) -> Sample:
        image, values = pictures.read_image(image_path, self.channels), pictures.read_values(mask_path)
        if values.shape != image.shape[:2]:
            raise RequestError(f"mask '{mask_path}' is {pictures.size_of(values)}, its image {pictures.size_of(image)}")
        if self._options.instances:
            instances = numbered(values, mask_path)
            return Sample(image, (instances > 0).astype(np.uint8), instances)
        return Sample(image, classified(values, self._values, mask_path, self._hint))

    def _volume(self, image_path: Path, mask_path: Path) -> Sample:
        image, mask = volumes.read_volume(image_path), volumes.read_volume(mask_path)
        sample = sample_of(image, mask, self._values, self._hint)
        if sample.image.shape[-1] != self.channels:
            raise RequestError(f"'{image_path}' has {sample.image.shape[-1]} channels, and others have {self.channels}")
        return sample

    @property
    def _values(self) -> dict[int, int]:
        """Index of the class of each declared value."""
        return {self._options.classes[name]: index for index, name in enumerate(self.classes)}

    @property
    def _hint(self) -> str:
        given = ", ".join(f"{name}: {value}" for name, value in self._options.classes.items())
        return f": declare each under a name, as in classes: {{{given}, NAME: VALUE}}"

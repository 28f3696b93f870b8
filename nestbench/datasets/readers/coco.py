"""Images whose objects are outlined in a file of COCO's JSON, as most tools of annotation write it.

DIR/annotations.json    images, annotations and categories; polygons, or run lengths as numbers or as text
DIR/images/NAME.png     PNG, TIFF, JPEG or BMP, as ``file_name`` says

A study names them so, every key but ``path`` with a default:

    {name: coco, path: DIR, annotations: annotations.json, images: images, classes: [nucleus, debris],
     crowd: refuse, subject: '(patient[0-9]+)_'}

Where objects overlap, the smaller lies above; one that covers no pixel is none.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.coco_json import Annotation, Annotations, Image, read_annotations
from nestbench.datasets.readers.coco_masks import Places, places_of
from nestbench.datasets.readers.places import place_of, places
from nestbench.datasets.readers.subjects import Pattern, cases_of
from nestbench.errors import RequestError, refuse, unknown
from nestbench.formats.listing import stamps
from nestbench.formats.pictures import is_grey, read_image, size_of
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

BACKGROUND = "background"


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str
    """Folder of the annotations and images: absolute, or below the current folder, or below the data root."""
    annotations: str = "annotations.json"
    images: str = "images"
    classes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Categories that are classes, in this order, objects of others being background; without it all are."""
    crowd: Literal["refuse", "background", "object"] = "refuse"
    """What an annotation with ``iscrowd`` is: COCO leaves out of its scores what is found there, and that is not done
    here."""
    subject: Pattern | None = None
    """Regular expression with one group, which finds the subject in a file's name; without it each image is one."""


class Coco:
    """Images with objects in COCO's JSON: polygons or run lengths, one's own or from a tool of annotation."""

    dims = 2
    shares = (0.5, 0.2, 0.3)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'coco'", Options, options)

    @property
    def about(self) -> About:
        """The folder's name; nothing else is known."""
        return About(title=Path(self._options.path).resolve().name, licence="not stated", citation="", url="")

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The background, then the categories as the study names them, or in the order of the file.

        A category that is called so is the background too.

        Raises RequestError for a class that is no category, with the nearest one.
        """
        categories = tuple(name for name in self._file.categories.values() if name != BACKGROUND)
        for name in self._options.classes or ():
            if name not in categories:
                raise unknown("category", name, categories)
        return (BACKGROUND, *(self._options.classes or categories))

    @cached_property
    def channels(self) -> int:
        """1 where every image is grey, else 3."""
        return 1 if all(is_grey(self._path(image)) for image in self._file.images) else 3

    def cases(self) -> tuple[Case, ...]:
        """Every image of the file, by name.

        Raises RequestError where the folder or the file is missing, for what ``read_annotations`` refuses, for images
        that are not there, crowds that nobody said what to do with, and names in which no subject is found.
        """
        missing = [f"'{image.file_name}'" for image in self._file.images if not self._path(image).is_file()]
        refuse(f"'{self._place / self._options.images}' lacks images that '{self._annotations}' lists:", missing)
        self._check_crowds()
        return cases_of((image.file_name for image in self._file.images), self._options.subject)

    def read(self, case: Case) -> Sample:
        """Image, classes and objects, numbered in the order of the file.

        Raises RequestError that names the file, or the annotation, at fault: unreadable, of another size, outside the
        image, run lengths that are not those of its image.
        """
        image = next(image for image in self._file.images if image.file_name == case.id)
        pixels = read_image(self._path(image), self.channels)
        if pixels.shape[:2] != (image.height, image.width):
            said = f"{image.width} x {image.height}"
            raise RequestError(f"'{self._path(image)}' is {size_of(pixels)}, in '{self._annotations}' it is {said}")
        instances, mask = np.zeros(pixels.shape[:2], np.int32), np.zeros(pixels.shape[:2], np.uint8)
        for number, index, where in sorted(self._drawn(image), key=lambda drawn: -len(drawn[2])):
            instances.ravel()[where], mask.ravel()[where] = number, index
        return Sample(pixels, mask, instances)

    def fingerprint(self) -> Any:
        """Options, and place, name, size and time of each file."""
        options = self._options.model_dump(mode="json", exclude={"path"})
        return {"reader": 1, "folder": str(self._place.resolve()), "files": stamps(self._place), **options}

    @cached_property
    def _place(self) -> Path:
        return place_of("coco", places(self._root, self._options.path), Path.is_dir, "is a folder")

    @property
    def _annotations(self) -> Path:
        return self._place / self._options.annotations

    @cached_property
    def _file(self) -> Annotations:
        return read_annotations(self._annotations)

    def _path(self, image: Image) -> Path:
        return self._place / self._options.images / image.file_name

    def _check_crowds(self) -> None:
        crowds = [one for own in self._file.objects.values() for one in own if one.iscrowd]
        if crowds and self._options.crowd == "refuse":
            more = f", and so are {len(crowds) - 1:,} more" if len(crowds) > 1 else ""
            raise RequestError(
                f"annotation {crowds[0].id} of '{self._annotations}' is a crowd{more}: "
                "say crowd: background to leave them out, or crowd: object to count each as one object"
            )

    def _drawn(self, image: Image) -> list[tuple[int, int, Places]]:
        """Number, class and pixels of each object."""
        names = self._file.categories
        wanted = [
            one
            for one in self._file.objects[image.id]
            if names[one.category_id] in self.classes[1:] and not (one.iscrowd and self._options.crowd == "background")
        ]
        return [
            (number, self.classes.index(names[one.category_id]), self._pixels(one, image))
            for number, one in enumerate(wanted, start=1)
        ]

    def _pixels(self, one: Annotation, image: Image) -> Places:
        try:
            return places_of(one.segmentation, image.height, image.width)
        except ValueError as error:
            place = f"annotation {one.id} of image '{image.file_name}' in '{self._annotations}'"
            raise RequestError(f"{place} {error}") from error

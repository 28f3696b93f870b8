"""The JSON of COCO's object detection: which images there are, and what is drawn in each."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from nestbench.errors import refuse
from nestbench.formats.pictures import naming
from nestbench.study.sentences import checked

Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]

MOST_CATEGORIES = 255


class _Part(BaseModel):
    """One entry; keys that are not read may stand beside."""

    model_config = ConfigDict(frozen=True)


class RunLengths(_Part):
    """A mask as lengths of runs, down one column after the other, the first of them background."""

    size: tuple[int, int]
    """Height and width."""
    counts: list[Annotated[int, Field(ge=0)]] | str
    """The lengths, or COCO's text for them."""


# Told apart by their kind, so that what is said of one is not that it might have been the other.
Segmentation = Annotated[
    Annotated[RunLengths, Tag("Runs")] | Annotated[list[list[Coordinate]], Tag("Polygons")],
    Discriminator(lambda found: "Runs" if isinstance(found, dict | RunLengths) else "Polygons"),
]


class Image(_Part):
    """An image and what it is called."""

    id: int
    file_name: str = Field(min_length=1)
    width: Positive
    height: Positive


class Annotation(_Part):
    """One object, or a crowd of them."""

    id: int
    image_id: int
    category_id: int
    segmentation: Segmentation = []
    """Polygons x, y, x, y, ..., or run lengths."""
    iscrowd: Literal[0, 1] = 0


class Category(_Part):
    """A class."""

    id: int
    name: str = Field(min_length=1)


class _File(_Part):
    images: list[Image] = Field(min_length=1)
    annotations: list[Annotation]
    categories: list[Category] = Field(min_length=1, max_length=MOST_CATEGORIES)


@dataclass(frozen=True)
class Annotations:
    """What a file says."""

    images: tuple[Image, ...]
    objects: dict[int, tuple[Annotation, ...]]
    """By the number of their image."""
    categories: dict[int, str]
    """Name by number, in the order of the file."""


def read_annotations(path: Path) -> Annotations:
    """Read a file of annotations.

    Raises RequestError with one sentence that names the file, and what in it is at fault: no JSON, a key missing or of
    another kind, a number or name that stands twice, an object of an image or a category that is not there.
    """
    with naming(path):
        content = json.loads(path.read_text("utf-8-sig"))
    file = checked(f"'{path}'", _File, content)
    refuse(f"'{path}' has", list(_doubled(file)))
    refuse(f"'{path}' has", list(_lost(file)))
    objects: dict[int, list[Annotation]] = {image.id: [] for image in file.images}
    for one in file.annotations:
        objects[one.image_id].append(one)
    return Annotations(
        images=tuple(sorted(file.images, key=lambda image: image.file_name)),
        objects={number: tuple(own) for number, own in objects.items()},
        categories={category.id: category.name for category in file.categories},
    )


def _doubled(file: _File) -> Iterator[str]:
    yield from _twice("two images of the number", (image.id for image in file.images))
    yield from _twice("two images of the name", (image.file_name for image in file.images))
    yield from _twice("two annotations of the number", (one.id for one in file.annotations))
    yield from _twice("two categories of the number", (category.id for category in file.categories))
    yield from _twice("two categories of the name", (category.name for category in file.categories))


def _twice(what: str, values: Iterable[int | str]) -> Iterator[str]:
    yield from (f"{what} {value!r}" for value, count in Counter(values).items() if count > 1)


def _lost(file: _File) -> Iterator[str]:
    """Objects of what is not there."""
    images = {image.id: image.file_name for image in file.images}
    categories = {category.id: category.name for category in file.categories}
    known = ", ".join(f"{number} {name}" for number, name in list(categories.items())[:12])
    for one in file.annotations:
        if one.image_id not in images:
            yield f"annotation {one.id} of image {one.image_id}, which is not among its images"
        elif one.category_id not in categories:
            place = f"annotation {one.id} of image '{images[one.image_id]}'"
            yield f"{place} with the category {one.category_id}, which is none of its categories ({known})"

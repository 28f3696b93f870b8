"""Lung nodules of LIDC-IDRI as somebody's slices: crops of 128 x 128 around each nodule, marked by four readers.

LIDC-IDRI-slices/LIDC-IDRI-NNNN/nodule-K/images/slice-S.png            grey of 8 bits, of an unknown window
                                         mask-0..3/slice-S.png         0 and 255, a reader each; empty where that
                                                                       reader marked nothing

S counts a nodule's slices and has no leading zeros. A nodule without one of them would have neighbours in it that are
none, so it is refused as a volume; its slices can still be read one by one. Spacing is not in the files.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.labels import classified
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.listing import files, folders, stamps
from nestbench.formats.pictures import Pixels, check_size, read_image, read_values, size_of
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

FOLDER = "LIDC-IDRI-slices"
PLACES = (FOLDER, f"lung-slices/{FOLDER}", f"lung-nodule/{FOLDER}", f"lidc_idri_slices/{FOLDER}")
SOURCE = "it is the folder LIDC-IDRI-slices of https://www.kaggle.com/datasets/zhangweiled/lidcidri"
READERS = 4
IMAGES = "images"
MASKS = tuple(f"mask-{reader}" for reader in range(READERS))
MARKED = 255


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the patients' own folders; without it, PLACES below the data root."""
    agree: Annotated[int, Field(ge=1, le=READERS)] = 2
    """Readers who must have marked a pixel."""
    cases: Literal["nodule", "slice"] = "nodule"
    """A nodule is one volume, or each of its slices is a picture."""


class LungSlices:
    """Lung nodules in small pictures, each outlined by up to four readers."""

    about = About(
        title="LIDC-IDRI, slices of nodules",
        licence="CC BY 3.0 (LIDC-IDRI)",
        citation="Armato et al. The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative "
        "(IDRI): a completed reference database of lung nodules on CT scans. Medical Physics 38(2), 915-931 (2011)",
        url="https://www.kaggle.com/datasets/zhangweiled/lidcidri",
        obtain=f"{SOURCE}, which asks for an account: put it below the data root",
    )
    classes = ("background", "nodule")
    channels = 1
    shares = (0.5, 0.1, 0.4)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'lung-slices'", Options, options)

    @property
    def dims(self) -> int:
        """3 for nodules, 2 for their slices."""
        return 3 if self._options.cases == "nodule" else 2

    def cases(self) -> tuple[Case, ...]:
        """Every nodule or slice, by patient and then by number; the subject is the patient.

        Raises RequestError where the folder is missing or holds no nodule.
        """
        cases = [
            Case(f"{patient}/{name}", patient)
            for patient in folders(self._folder)
            for nodule in _numbered(folders(self._folder / patient), "nodule")
            for name in self._parts(patient, nodule)
        ]
        if not cases:
            raise RequestError(f"'{self._folder}' is empty: it should hold LIDC-IDRI-NNNN/nodule-K/images; {SOURCE}")
        return tuple(cases)

    def read(self, case: Case) -> Sample:
        """Image and consensus of one nodule, its slices in the order of their numbers, or of one slice.

        Raises RequestError that names the file: missing, unreadable, of another size, a mask with other values than 0
        and 255; and the nodule where a slice between two others is missing.
        """
        folder = self._folder / case.id
        if self.dims == 2:
            return self._slice(folder.parent, folder.name)
        names = _whole(folder)
        first = self._slice(folder, names[0])
        check_size(folder, first.mask.size * len(names))
        slices = [first, *(self._slice(folder, name) for name in names[1:])]
        odd = next((n for n, s in zip(names, slices, strict=True) if s.mask.shape != first.mask.shape), None)
        if odd:
            raise RequestError(
                f"slices of '{folder}' differ in size: {odd} is not {size_of(first.mask)} as {names[0]} is"
            )
        return Sample(np.stack([s.image for s in slices]), np.stack([s.mask for s in slices]))

    def fingerprint(self) -> Any:
        """Options, and place, name, size and time of each file."""
        folder, options = self._folder, self._options
        listed = {"folder": str(folder.resolve()), "files": stamps(folder)}
        return {"reader": 1, "agree": options.agree, "cases": options.cases} | listed

    @cached_property
    def _folder(self) -> Path:
        return place_of(
            "lung-slices", places(self._root, self._options.path, PLACES), Path.is_dir, f"is a folder; {SOURCE}"
        )

    def _parts(self, patient: str, nodule: str) -> list[str]:
        """What the cases of a nodule are called: its own name, or its name and that of each slice."""
        if self.dims == 3:
            return [nodule]
        return [f"{nodule}/{name}" for name in _slices(self._folder / patient / nodule)]

    def _slice(self, nodule: Path, name: str) -> Sample:
        path = nodule / IMAGES / f"{name}.png"
        image = read_image(path, self.channels)
        if image.shape[-1] != self.channels:
            raise RequestError(f"slice '{path}' is in colour: slices are grey")
        votes = np.sum([_marked(nodule / folder / f"{name}.png", image) for folder in MASKS], axis=0)
        return Sample(image, (votes >= self._options.agree).astype(np.uint8))


def _marked(path: Path, image: Pixels) -> Pixels:
    """1 where a reader marked pixels (H, W), else 0."""
    values = read_values(path)
    if values.shape != image.shape[:2]:
        raise RequestError(f"mask '{path}' is {size_of(values)}, its slice {size_of(image)}")
    return classified(values, {0: 0, MARKED: 1}, path)


def _whole(nodule: Path) -> list[str]:
    """Names of a nodule's slices, which follow one another."""
    names = _slices(nodule)
    if not names:
        raise RequestError(f"nodule '{nodule}' has no slice")
    for one, other in pairwise(names):
        if _number(other) != _number(one) + 1:
            raise RequestError(f"nodule '{nodule}' is not whole: {one} is followed by {other}")
    return names


def _slices(nodule: Path) -> list[str]:
    """Names that the images or any of the masks have; ``read`` refuses one that not all of them have."""
    parts = [nodule / part for part in (IMAGES, *MASKS) if (nodule / part).is_dir()]
    return _numbered({path.stem for part in parts for path in files(part, (".png",))}, "slice")


def _numbered(names: Iterable[str], kind: str) -> list[str]:
    """Names of the form ``kind-7``, in the order of the numbers."""
    return sorted((name for name in names if re.fullmatch(rf"{kind}-[0-9]+", name)), key=lambda n: (_number(n), n))


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])

"""Livers and their tumours in CT, as the LiTS challenge gives its 131 training volumes.

volume-N.nii          Hounsfield units, int16 or float; 512 x 512 x 74 to 987 voxels
segmentation-N.nii    0 else, 1 liver, 2 tumour

They lie in one folder or in "Training Batch 1" and "Training Batch 2", and may be packed as .nii.gz. Axes run otherwise
in different volumes, so that everything is turned by the affine.

Volumes 28 to 47 come from 3D-IRCADb and have lost their place on the way, as ``formats.nifti`` tells by their headers.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.labels import sample_of
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.listing import Stamp
from nestbench.formats.volumes import read_volume
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

PLACES = ("", "liver", "LiTS", "lits", "liver_ct_lits_format")
BATCHES = ("", "Training Batch 1", "Training Batch 2", "Training_Batch1", "Training_Batch2")
SOURCE = (
    "register at https://competitions.codalab.org/competitions/17094, download Training Batch 1 and 2 under "
    "Participate, and put volume-N.nii and segmentation-N.nii into the folder liver below the data root"
)
TARGETS: dict[str, tuple[tuple[str, ...], dict[int, int]]] = {
    "liver": (("background", "liver"), {0: 0, 1: 1, 2: 1}),
    "parts": (("background", "liver", "tumour"), {0: 0, 1: 1, 2: 2}),
}
"""Names of the classes, and the class of each label."""

_NAME = re.compile(r"(volume|segmentation)-(\d+)\.nii(\.gz)?")


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the volumes, or of the two batches; without it, PLACES below the data root."""
    target: Literal["liver", "parts"] = "liver"
    """The papers merge the tumours into the liver."""


class Liver:
    """The liver in CT volumes of the abdomen, with its tumours or apart from them; each volume is a subject."""

    about = About(
        title="LiTS, Liver Tumor Segmentation challenge, training volumes",
        licence="CC BY-NC-ND 4.0",
        citation="Bilic et al. The Liver Tumor Segmentation Benchmark (LiTS). Medical Image Analysis 84, 102680 (2023)",
        url="https://competitions.codalab.org/competitions/17094",
        obtain=SOURCE,
    )
    channels = 1
    dims = 3
    shares = (100 / 130, 15 / 130, 15 / 130)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'liver'", Options, options)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the target."""
        return TARGETS[self._options.target][0]

    def cases(self) -> tuple[Case, ...]:
        """Every number that a volume or a segmentation has, in order; ``read`` refuses one that only one of them has.

        Raises RequestError where the data is missing.
        """
        numbers = sorted({number for _, number in self._files}, key=int)
        return tuple(Case(number, number) for number in numbers)

    def read(self, case: Case) -> Sample:
        """Hounsfield units as they are stored, and the target.

        Raises RequestError that names the file at fault.
        """
        image, label = (read_volume(self._file(kind, case.id)) for kind in ("volume", "segmentation"))
        return sample_of(image, label, TARGETS[self._options.target][1])

    def fingerprint(self) -> Any:
        """Target, and place, name, size and time of each file."""
        listed = [_stamp(path, self._folder) for paths in self._files.values() for path in paths]
        folder = str(self._folder.resolve())
        return {"reader": 1, "folder": folder, "files": sorted(listed), "target": self._options.target}

    @cached_property
    def _folder(self) -> Path:
        def has_volumes(place: Path) -> bool:
            return any(kind == "volume" for kind, _ in _files(place))

        looked = places(self._root, self._options.path, PLACES)
        return place_of("liver", looked, has_volumes, f"holds volume-0.nii and the others; {SOURCE}")

    @cached_property
    def _files(self) -> dict[tuple[str, str], list[Path]]:
        return _files(self._folder)

    def _file(self, kind: str, number: str) -> Path:
        paths = self._files.get((kind, number), [])
        if not paths:
            raise RequestError(f"'{self._folder}' holds no {kind}-{number}.nii for the other file of number {number}")
        if len(paths) > 1:
            raise RequestError(f"'{paths[0]}' and '{paths[1]}' are one {kind}: keep one of them")
        return paths[0]


def _files(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Files by kind and number, in a folder and its batches."""
    paths: dict[tuple[str, str], list[Path]] = {}
    for batch in BATCHES:
        for path in sorted((folder / batch).glob("*.nii*")):
            if match := _NAME.fullmatch(path.name):
                paths.setdefault((match[1], match[2]), []).append(path)
    return paths


def _stamp(path: Path, folder: Path) -> Stamp:
    state = path.stat()
    return str(path.relative_to(folder)), state.st_size, state.st_mtime_ns

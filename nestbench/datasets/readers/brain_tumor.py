"""Brain tumours of BRATS 2013: one to four modalities of MRI a patient, and the tumour's parts.

HG or HGG/PATIENT/ANY/VSD.Brain.XX.O.MR_Flair.54512.mha     MR_T1, MR_T1c and MR_T2 likewise; low grade in LG or LGG
                 /ANY/VSD.Brain_3more.XX.XX.OT.54517.mha    0 else, 1 necrosis, 2 oedema, 3 non-enhancing, 4 enhancing

Numbers at the ends of names count uploads and mean nothing; sizes differ between patients. A patient of BRATS 2015 is
PATIENT_VISIT there, and each visit is a case. BRATS 2013 numbers its patients in each grade, and BRATS 2015 keeps these
numbers (brats_2013_pat0001 in HGG and in LGG are two people); its own patients have one number in all.
"""

import re
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.labels import sample_of
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.geometry import stacked
from nestbench.formats.listing import folders, stamps
from nestbench.formats.volumes import read_volume
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

Modality = Literal["flair", "t1", "t1c", "t2"]

PLACES = tuple(
    place + name
    for place in ("", "brain-tumor/", "brats2013/")
    for name in ("BRATS-2_Image_Data", "BRATS2015_Training", "")
)
GRADES = ("HG", "HGG", "LG", "LGG")
SOURCE = (
    "register at https://www.smir.ch/BRATS/Start2013 (the Virtual Skeleton Database) with an institutional address, "
    "choose BRATS2013, and unpack its training data so that BRATS-2_Image_Data/HG and /LG lie below the data root"
)

# Upper and lower case are one. T1 is told from T1c by what follows it.
PATTERNS: dict[Modality, str] = {"flair": "*MR_Flair*", "t1": "*MR_T1.*", "t1c": "*MR_T1c*", "t2": "*MR_T2*"}
LABEL = "*more*OT*"

_VISIT = re.compile(r"(.+_pat\d+)_\d+")
_OF_2013 = "brats_2013_"

PARTS = ("background", "necrosis", "oedema", "non-enhancing tumour", "enhancing tumour")
TARGETS: dict[str, tuple[tuple[str, ...], dict[int, int]]] = {
    "whole": (("background", "tumour"), {0: 0, 1: 1, 2: 1, 3: 1, 4: 1}),
    "parts": (PARTS, {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),
    "core": (("background", "tumour core"), {0: 0, 1: 1, 2: 0, 3: 1, 4: 1}),
    "enhancing": (("background", "enhancing tumour"), {0: 0, 1: 0, 2: 0, 3: 0, 4: 1}),
}
"""Names of the classes, and the class of each label."""


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder that holds the grades' folders; without it, PLACES below the data root."""
    modalities: tuple[Modality, ...] | None = None
    """Channels, in this order; without it all those that any patient has."""
    target: Literal["whole", "parts", "core", "enhancing"] = "whole"
    """The papers merge all labels to the whole tumour; the core is without oedema."""

    @field_validator("modalities")
    @classmethod
    def _each_once(cls, modalities: tuple[Modality, ...] | None) -> tuple[Modality, ...] | None:
        if modalities == ():
            raise ValueError(f"none is named, and there are {', '.join(PATTERNS)}")
        if modalities and len(set(modalities)) < len(modalities):
            raise ValueError("a modality is named twice")
        return modalities


class BrainTumor:
    """Tumours in MRI volumes of the head, of high and of low grade."""

    about = About(
        title="BRATS 2013, multimodal brain tumour segmentation, training patients",
        licence="CC BY-NC-SA 3.0",
        citation="Menze et al. The multimodal brain tumor image segmentation benchmark (BRATS). IEEE Transactions on "
        "Medical Imaging 34(10), 1993-2024 (2015)",
        url="https://www.smir.ch/BRATS/Start2013",
        obtain=SOURCE,
    )
    dims = 3
    shares = (0.6, 0.2, 0.2)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'brain-tumor'", Options, options)

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the target."""
        return TARGETS[self._options.target][0]

    @property
    def channels(self) -> int:
        """The modalities."""
        return len(self._modalities)

    @property
    def marks(self) -> tuple[str, ...]:
        """What the names of the modalities' files hold."""
        return tuple(PATTERNS[modality].strip("*") for modality in self._modalities)

    def cases(self) -> tuple[Case, ...]:
        """Every folder of a patient as GRADE-PATIENT, by name; the subject is without the visit of BRATS 2015.

        Raises RequestError where the data is missing, and where no patient has any modality.
        """
        if not self._modalities:
            named = ", ".join(PATTERNS.values())
            raise RequestError(f"no patient of '{self._folder}' has any modality (a .mha named as one of {named})")
        return tuple(Case(name, _subject(folder)) for name, folder in self._patients.items())

    def read(self, case: Case) -> Sample:
        """The modalities as channels, and the target; spacing from the files.

        Raises RequestError that names the file at fault, or the patient whose modality is missing.
        """
        folder = self._patients[case.id]
        missing = [modality for modality in self._modalities if modality not in self._images[case.id]]
        if missing:
            raise RequestError(
                f"patient '{folder}' has no {', no '.join(missing)} (a .mha named as {PATTERNS[missing[0]]})"
            )
        image = stacked([read_volume(_only(self._images[case.id][modality])) for modality in self._modalities])
        labels = _matching(folder, LABEL)
        if not labels:
            raise RequestError(f"patient '{folder}' has no labels (a .mha named as {LABEL})")
        return sample_of(image, read_volume(_only(labels)), TARGETS[self._options.target][1])

    def fingerprint(self) -> Any:
        """Modalities and target, and place, name, size and time of each file."""
        found = [[grade, stamps(self._folder / grade)] for grade in GRADES if (self._folder / grade).is_dir()]
        said = {"modalities": self._modalities, "target": self._options.target}
        return {"reader": 2, "folder": str(self._folder.resolve()), "files": found, **said}

    @cached_property
    def _folder(self) -> Path:
        def has_grades(place: Path) -> bool:
            return any((place / grade).is_dir() for grade in GRADES)

        looked = places(self._root, self._options.path, PLACES)
        return place_of("brain-tumor", looked, has_grades, f"holds HG, HGG, LG or LGG; {SOURCE}")

    @cached_property
    def _patients(self) -> dict[str, Path]:
        grades = [self._folder / grade for grade in GRADES if (self._folder / grade).is_dir()]
        found = {f"{grade.name}-{name}": grade / name for grade in grades for name in folders(grade)}
        if not found:
            raise RequestError(f"'{self._folder}' is empty: it should hold a folder for each patient in HG and LG")
        return dict(sorted(found.items()))

    @cached_property
    def _images(self) -> dict[str, dict[Modality, list[Path]]]:
        """Files of each patient's modalities; a modality without a file is left out."""
        found = {
            name: {modality: _matching(folder, pattern) for modality, pattern in PATTERNS.items()}
            for name, folder in self._patients.items()
        }
        return {name: {m: paths for m, paths in by_modality.items() if paths} for name, by_modality in found.items()}

    @cached_property
    def _modalities(self) -> tuple[Modality, ...]:
        return self._options.modalities or tuple(
            m for m in PATTERNS if any(m in held for held in self._images.values())
        )


def _subject(folder: Path) -> str:
    """The patient of a folder, with the grade where patients are numbered in each."""
    visit = _VISIT.fullmatch(folder.name)
    patient = visit[1] if visit else folder.name
    return patient if visit and not patient.startswith(_OF_2013) else f"{folder.parent.name}-{patient}"


def _matching(folder: Path, pattern: str) -> list[Path]:
    """MetaImage files at any depth whose names match."""
    found = [path for path in folder.rglob("*.mha") if not path.name.startswith(".")]
    return sorted(path for path in found if fnmatchcase(path.name.lower(), pattern.lower()))


def _only(paths: list[Path]) -> Path:
    if len(paths) > 1:
        raise RequestError(f"'{paths[0]}' and '{paths[1]}' are of one patient and one kind: keep one of them")
    return paths[0]

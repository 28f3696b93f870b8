"""Nodules of the lung in LIDC-IDRI, in the official layout: CT as DICOM, and what its readers drew as XML.

LIDC-IDRI/LIDC-IDRI-0001/<StudyUID>/<SeriesUID>/*.dcm    one series, in Hounsfield units
LIDC-IDRI/LIDC-IDRI-0001/<StudyUID>/<SeriesUID>/NNN.xml  of the same series; those of chest films are passed over
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers import lung_slices
from nestbench.datasets.readers.lidc_consensus import Voxels, consensus
from nestbench.datasets.readers.lidc_xml import Report, is_chest_film, read_report
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError
from nestbench.formats.dicom import Series, find_series, pixels
from nestbench.formats.listing import files, folders, stamps
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

PLACES = ("LIDC-IDRI", "lidc_idri/LIDC-IDRI", "lung-nodule/LIDC-IDRI")
SOURCE = (
    "get the collection LIDC-IDRI with its XML annotations from "
    "https://www.cancerimagingarchive.net/collection/lidc-idri/ with the NBIA Data Retriever (about 130 GB), and put "
    "its folder LIDC-IDRI below the data root"
)
CROP = 64.0
"""Millimetres a side of the cube around a nodule where a study says nothing, as in the paper."""

Indices = NDArray[np.intp]
"""(N, 3): voxels of a volume."""

_WHOLE = (slice(None), slice(None), slice(None))
_NODULE = "/nodule-"


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of the patients' own folders; without it, PLACES below the data root."""
    agree: Annotated[int, Field(ge=1, le=4)] = 2
    """Readers, at least, who marked a voxel of a nodule."""
    cases: Literal["nodule", "scan"] = "nodule"
    """A cube around each nodule on which so many readers agree, or whole CTs."""
    crop: Annotated[float, Field(gt=0)] | None = None
    """Millimetres a side of the cube; CROP where nothing is said."""

    @model_validator(mode="after")
    def _crops_nodules(self) -> "Options":
        if self.crop and self.cases == "scan":
            raise ValueError(f"crop {self.crop:g} is the side of the cube around a nodule, and the cases are scans")
        return self


@dataclass(frozen=True)
class Scan:
    """A folder of a CT, and the XML files in it that are not about a chest film."""

    patient: str
    folder: Path
    reports: tuple[Path, ...]


class LungNodule:
    """Lung nodules of 3 mm and more in 1,018 CTs, outlined by four readers each."""

    about = About(
        title="LIDC-IDRI",
        licence="CC BY 3.0",
        citation="Armato et al. The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative "
        "(IDRI): a completed reference database of lung nodules on CT scans. Medical Physics 38(2), 915-931 (2011)",
        url="https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
        obtain=SOURCE,
    )
    classes = ("background", "nodule")
    channels = 1
    dims = 3
    shares = (0.5, 0.1, 0.4)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'lung-nodule'", Options, options)

    def cases(self) -> tuple[Case, ...]:
        """Every scan, or each of its nodules, by patient; the subject is the patient.

        A patient without a CT that was read, or a scan whose XML is damaged, is one case, which ``read`` refuses.

        Raises RequestError where the folder is missing, holds no CT that was read, or no nodule on which so many agree.
        """
        if not any(scan.reports for scan in self._scans.values()):
            raise RequestError(f"'{self._folder}' holds no PATIENT/STUDY/SERIES with the XML file of a CT; {SOURCE}")
        cases = [Case(part, one.patient) for name, one in self._scans.items() for part in self._parts(name, one)]
        if not cases:
            raise RequestError(f"'{self._folder}' holds no nodule on which {self._options.agree} readers agree")
        return tuple(cases)

    def read(self, case: Case) -> Sample:
        """CT in Hounsfield units, and the voxels of nodules on which enough readers agree.

        Raises RequestError that names file or folder: not one XML in a scan's folder, an XML that is none, a series
        that is not the one in the XML, is damaged or lacks a slice (``dicom.find_series``), an outline beside it.
        """
        name, _, number = case.id.partition(_NODULE)
        report = _report(self._scans[name])
        series = find_series(report.path.parent, report.series_uid)
        nodules = [_indices(voxels, report, series) for voxels in consensus(report, self._options.agree)]
        box = _cube(series, nodules[int(number) - 1], self._options.crop or CROP) if number else _WHOLE
        image = pixels(series.slices[box[0]])[:, *box[1:], None]
        mask = np.zeros(series.shape, np.uint8)
        for nodule in nodules:
            mask[tuple(nodule.T)] = 1
        # A part that is kept must not keep the whole.
        return Sample(np.ascontiguousarray(image), np.ascontiguousarray(mask[box]), None, series.spacing)

    def fingerprint(self) -> Any:
        """Options, and place, name, size and time of each file."""
        options = self._options.model_dump(exclude={"path"})
        return {"reader": 1, "folder": str(self._folder.resolve()), "files": stamps(self._folder)} | options

    @cached_property
    def _folder(self) -> Path:
        looked = places(self._root, self._options.path, PLACES)
        slices = next((p for p in (*looked, *places(self._root, "", lung_slices.PLACES)) if _is_slices(p)), None)
        other = f"; '{slices}' holds slices as PNG, which are the data set 'lung-slices'" if slices else ""
        return place_of("lung-nodule", looked, _may_hold_scans, f"is a folder of CTs{other}; {SOURCE}")

    @cached_property
    def _scans(self) -> dict[str, Scan]:
        """Scans by name: the patient's, with a number where there are several of one."""
        named: dict[str, Scan] = {}
        for patient in folders(self._folder):
            scans = _scans_of(self._folder / patient) or [Scan(patient, self._folder / patient, ())]
            names = [patient] if len(scans) == 1 else [f"{patient}/scan-{n + 1}" for n in range(len(scans))]
            named.update(zip(names, scans, strict=True))
        return named

    def _parts(self, name: str, scan: Scan) -> list[str]:
        """Ids of the cases of a scan: its name, or its nodules'."""
        if self._options.cases == "scan":
            return [name]
        try:
            nodules = consensus(_report(scan), self._options.agree)
        except RequestError:  # what is wrong with the scan is said when it is read
            return [name]
        return [f"{name}{_NODULE}{number}" for number, voxels in enumerate(nodules, start=1) if voxels]


def _scans_of(patient: Path) -> list[Scan]:
    """A patient's CTs, by path: the folders with an XML file that is not about a chest film."""
    series = [patient / study / one for study in folders(patient) for one in folders(patient / study)]
    reports = {folder: tuple(p for p in files(folder, (".xml",)) if not is_chest_film(p)) for folder in series}
    return [Scan(patient.name, folder, held) for folder, held in reports.items() if held]


def _may_hold_scans(folder: Path) -> bool:
    return folder.is_dir() and not _is_slices(folder)


def _is_slices(folder: Path) -> bool:
    """Whether a folder of patients holds the pictures that ``lung_slices`` reads."""
    return any(folder.glob(f"*/nodule-*/{lung_slices.IMAGES}"))


def _report(scan: Scan) -> Report:
    if len(scan.reports) != 1:
        names = ", ".join(path.name for path in scan.reports) or "none"
        raise RequestError(f"'{scan.folder}' should hold one XML file of a CT, and holds {names}")
    return read_report(scan.reports[0])


def _indices(voxels: Voxels, report: Report, series: Series) -> Indices:
    """Voxels by their index in the volume."""
    order = {one.uid: index for index, one in enumerate(series.slices)}
    lost = next((outline for outline in report.outlines if outline.sop_uid not in order), None)
    if lost:
        where = f"slice {lost.sop_uid} at {lost.z:g} mm"
        raise RequestError(f"'{report.path}' has a nodule on {where}, which is not in its folder")
    indices = np.array([(order[uid], row, column) for uid, row, column in sorted(voxels)], np.intp).reshape(-1, 3)
    if (indices >= series.shape).any():
        _, height, width = series.shape
        raise RequestError(f"'{report.path}' has a nodule beside the slices, which are {width} x {height} pixels")
    return indices


def _cube(series: Series, nodule: Indices, side: float) -> tuple[slice, ...]:
    """The part of a scan around a nodule, ``side`` mm or as long as the scan, moved to where it lies inside."""
    shape = np.array(series.shape)
    size = np.clip(np.rint(side / np.array(series.spacing)).astype(int), 1, shape)
    middle = (nodule.min(axis=0) + nodule.max(axis=0) + 1) / 2
    start = np.clip(np.rint(middle - size / 2).astype(int), 0, shape - size)
    return tuple(slice(*ends) for ends in zip(start.tolist(), (start + size).tolist(), strict=True))

"""Tiny files in the form of LIDC-IDRI: slices of a CT, and what its readers drew."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SERIES = "1.2.3"


def write_slice(path: Path, values: ArrayLike, z: float = 0.0, **tags: Any) -> Path:
    """An axial slice at z mm of pixels half a millimetre high and a quarter wide; a tag of None is left out."""
    values = np.asarray(values)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = uid(z)
    given = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid(z),
        "SeriesInstanceUID": SERIES,
        "Modality": "CT",
        "ImagePositionPatient": [-10, -20, z],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.5, 0.25],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
    }
    for name, value in (given | tags).items():
        if value is not None:
            setattr(header, name, value)
    header.PixelData = values.astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


def uid(z: float) -> str:
    """SOPInstanceUID of the slice at z mm."""
    return f"1.2.3.{round(1000 * z) + 10**6}"


def square(z: float, left: int, top: int, side: int, inclusion: str = "TRUE", closed: bool = True) -> str:
    """A roi whose line runs around ``side`` x ``side`` pixels, the first of them at (left, top)."""
    low_x, high_x, low_y, high_y = left - 1, left + side, top - 1, top + side
    across, down = range(low_x, high_x), range(low_y, high_y)
    line = [(x, low_y) for x in across] + [(high_x, y) for y in down]
    line += [(x + 1, high_y) for x in reversed(across)] + [(low_x, y + 1) for y in reversed(down)]
    return roi(z, [*line, line[0]] if closed else line, inclusion)


def roi(z: float, points: Iterable[tuple[Any, Any]], inclusion: str = "TRUE") -> str:
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return (
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid(z)}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def nodule(*rois: str, name: str = "Nodule 001") -> str:
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{''.join(rois)}</unblindedReadNodule>"


def xml(*sessions: Sequence[str], series: str = SERIES, root: str = "LidcReadMessage", namespace: str = "") -> str:
    """The file of so many readers, each with a list of nodules."""
    read = "".join(f"<readingSession>{''.join(nodules)}</readingSession>" for nodules in sessions)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="http://www.nih.gov{namespace}"><ResponseHeader>'
        f"<SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>{read}</{root}>"
    )

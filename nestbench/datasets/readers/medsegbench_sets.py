"""What is known of the sets of MedSegBench: classes, licences, and the checksums of their files."""

from importlib.resources import files

from pydantic import TypeAdapter

from nestbench.study.words import Frozen


class Facts(Frozen):
    """What is known of one set, as MedSegBench states it."""

    record: int
    """Number of its record at Zenodo."""
    md5: dict[str, str]
    """Of the file of each size."""
    licence: str
    source: str
    """Where the images are from."""
    classes: tuple[str, ...] = ("background", "foreground")
    numbered: bool = False
    """Whether objects are numbered in its labels, so that any value but 0 is foreground."""


SETS = TypeAdapter(dict[str, Facts]).validate_json(
    files("nestbench.datasets.readers").joinpath("medsegbench_sets.json").read_bytes()
)

"""The dataset.json of the Medical Segmentation Decathlon and of both versions of nnU-Net."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nestbench.formats.pictures import naming
from nestbench.study.sentences import checked

MOST_CLASSES = 256


@dataclass(frozen=True)
class Description:
    """What a dataset.json says of its data."""

    channels: tuple[str, ...]
    """Names, in the order of the channels' numbers."""
    labels: tuple[tuple[int, str], ...]
    """Value in the files and name of each class, in the order of values; the first is 0, the background."""
    training: tuple[str, ...]
    """File names of the images that must be there; empty where they are not listed."""


class _Pair(BaseModel):
    image: str


class _File(BaseModel):
    """The keys that are read; each version has some of its own beside them."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    modality: dict[str, str] = {}
    channel_names: dict[str, str] = {}
    labels: dict[str, int | str | list[Any]] = Field(min_length=2, max_length=MOST_CLASSES)
    training: list[_Pair | str] = []

    @model_validator(mode="after")
    def _channels_are_counted(self) -> "_File":
        named = self.channel_names or self.modality
        if not named or named.keys() != {str(number) for number in range(len(named))}:
            raise ValueError(f"channel_names, or modality, must name channels 0, 1, ..., and names {list(named)}")
        return self

    @model_validator(mode="after")
    def _labels_are_classes(self) -> "_File":
        regions = [name for name, value in self.labels.items() if isinstance(value, list)]
        if regions:
            raise ValueError(f"the label '{regions[0]}' is a region of several values: give each class one value")
        if "ignore" in {str(word).lower() for pair in self.labels.items() for word in pair}:
            raise ValueError("there is a label 'ignore', and every voxel must have a class")
        values = sorted(value for value, _ in _pairs(self.labels))
        if values[0] != 0 or len(set(values)) < len(values):
            raise ValueError(f"the labels have the values {values}: each needs its own, and the background's is 0")
        return self


def read_description(path: Path) -> Description:
    """Read a dataset.json.

    Raises RequestError with one sentence that names the file: no JSON, a key missing or of another kind, labels that
    are regions or are to be ignored.
    """
    with naming(path):
        content = json.loads(path.read_text("utf-8-sig"))
    file = checked(f"'{path}'", _File, content)
    named = file.channel_names or file.modality
    return Description(
        channels=tuple(named[str(number)] for number in range(len(named))),
        labels=tuple(sorted(_pairs(file.labels))),
        training=tuple(Path(entry if isinstance(entry, str) else entry.image).name for entry in file.training),
    )


def _pairs(labels: dict[str, Any]) -> list[tuple[int, str]]:
    """Value and name: the Decathlon has {"0": "background"}, nnU-Net's second version {"background": 0}."""
    if all(key.isdecimal() and isinstance(name, str) for key, name in labels.items()):
        return [(int(value), name) for value, name in labels.items()]
    return [(_whole(name, value), name) for name, value in labels.items()]


def _whole(name: str, value: Any) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"the label '{name}' has the value '{value}', and not a whole number") from None

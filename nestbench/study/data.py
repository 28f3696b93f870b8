"""What a study says of its data: which, how they are brought to 8 bits, how a network sees them, how they are split."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from nestbench.study.words import FolderName, Frozen

MAX_SIZE = 4096
"""Pixels a side that an image may be resized to."""

SIZE = 96
"""Pixels a side that pictures and slices are resized to where a study says nothing."""

Fraction = Annotated[float, Field(gt=0, lt=1)]
Side = Annotated[int, Field(ge=16, le=MAX_SIZE)]
Percent = Annotated[float, Field(ge=0, le=100)]
Millimetres = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _goes_up(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise ValueError(f"{ends[0]:g} is not below {ends[1]:g}")
    return ends


Finite = Annotated[float, Field(allow_inf_nan=False)]
Window = Annotated[tuple[Finite, Finite], AfterValidator(_goes_up)]
Percentiles = Annotated[tuple[Percent, Percent], AfterValidator(_goes_up)]
Spacing = Millimetres | tuple[Millimetres, ...]


class Folds(Frozen):
    """One of k folds, by subject: ``fold`` tests, the next one validates, the others train."""

    folds: int = Field(ge=3)
    fold: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "Folds":
        if self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} is not one of the {self.folds} folds, 0 to {self.folds - 1}")
        return self


class DatasetSpec(Frozen):
    """One data set of a study. Keys beyond these are options of the data set's own reader."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: str
    label: FolderName | Literal[""] = ""
    """What results and report call it; needed where one data set is used twice."""
    dims: Literal[2, 3] | None = None
    """3: volumes as they are; 2: pictures, or volumes slice by slice. Without it as the data are."""
    size: Side | None = None
    """Pixels a side that each picture or slice is resized to; SIZE where neither it nor a patch is given."""
    patch: Side | None = None
    """Pixels a side of the windows in which a network sees images that keep their size."""
    stride: Annotated[int, Field(ge=1)] | None = None
    """Pixels from one training window to the next; half of the patch where nothing is said."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Windows or slices of an epoch, drawn anew for each, half of them with an object; without it all, once."""
    spacing: Spacing | None = None
    """Millimetres between neighbours that images are resampled to, one for all axes or one for each; without it they
    stay as they are."""
    window: Window | None = None
    """Values that become 0 and 255 in every image, such as Hounsfield units from -200 to 250."""
    percentiles: Percentiles = (0.5, 99.5)
    """Percentiles of each image and channel that become 0 and 255, where values are no brightness and there is no
    window."""
    split: tuple[Fraction, Fraction, Fraction] | Folds | Literal["official"] | None = None
    """Shares of the cases for training, validation and test, one of k folds, or the data set's official sides; without
    it the shares of the papers' protocol."""

    @model_validator(mode="before")
    @classmethod
    def _is_of_some_size(cls, content: Any) -> Any:
        if isinstance(content, dict) and not (content.get("size") or content.get("patch")):
            return content | {"size": SIZE}
        return content

    @field_validator("split")
    @classmethod
    def _split_is_whole(cls, split: Any) -> Any:
        if isinstance(split, tuple) and abs(sum(split) - 1) > 1e-6:
            raise ValueError(f"the shares {split} add up to {sum(split):g}, not to 1")
        return split

    @model_validator(mode="after")
    def _is_seen_in_one_way(self) -> "DatasetSpec":
        if self.size and self.patch:
            raise ValueError(f"size {self.size} resizes whole images and patch {self.patch} does not: give one of them")
        if self.dims == 3 and not self.patch:
            raise ValueError("volumes in 3D are seen in windows: give their side as a patch, e.g. patch: 32")
        if self.stride and not self.patch:
            raise ValueError(f"stride {self.stride} is the step between windows, and no patch is given")
        if self.stride and self.patch and self.stride > self.patch:
            raise ValueError(f"stride {self.stride} is above the patch of {self.patch}, which leaves gaps")
        return self

    @property
    def side(self) -> int:
        """Pixels a side of what a network sees."""
        return self.patch or self.size or SIZE

    @property
    def step(self) -> int:
        """Pixels from one training window to the next."""
        return self.stride or max(1, self.side // 2)

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name

    @property
    def options(self) -> dict[str, Any]:
        """Keys for the reader of this data set."""
        return dict(self.model_extra or {})

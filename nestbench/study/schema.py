"""A study as frozen data: Study -> Cell -> Run."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nestbench.topology import MAX_DEPTH, topology

Block = Literal["modern", "paper"]
Schedule = Literal["constant", "cosine"]
Stopper = Literal["none", "median", "hyperband"]
Sampler = Literal["tpe", "random"]

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Frozen(BaseModel):
    """Data that nobody changes and in which a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetSpec(Frozen):
    """One data set of a study. Keys beyond these are options of the data set's own reader."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    label: str = ""
    """What results and report call it; needed where one data set is used twice."""
    size: int = Field(default=96, ge=16, le=4096)
    """Pixels a side that each image is resized to."""
    split: tuple[Fraction, Fraction, Fraction] = (0.5, 0.2, 0.3)
    """Shares of the cases for training, validation and test."""

    @field_validator("split")
    @classmethod
    def _split_is_whole(cls, split: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(split) - 1) > 1e-6:
            raise ValueError(f"the shares {split} add up to {sum(split):g}, not to 1")
        return split

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name

    @property
    def options(self) -> dict[str, Any]:
        """Keys for the reader of this data set."""
        return dict(self.model_extra or {})


class Recipe(Frozen):
    """How one network is trained. The defaults are the papers' where they state one."""

    learning_rate: float = Field(default=3e-4, gt=0)
    schedule: Schedule = "constant"
    batch: int = Field(default=16, ge=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=10, ge=1)
    """Epochs without a better validation IoU after which training stops."""
    loss: str = "bce-dice"
    weight_decay: float = Field(default=0.0, ge=0)
    augment: bool = True


class Span(Frozen):
    """A range of numbers to search; logarithmic where small and large ones matter alike."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "Span":
        if not self.low < self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range cannot start at {self.low:g}")
        return self


class Search(Frozen):
    """The same search for every cell: so many trials over the same space."""

    trials: int = Field(ge=1)
    space: dict[str, Span | Annotated[list[Any], Field(min_length=1)]] = Field(min_length=1)
    sampler: Sampler = "tpe"
    stopper: Stopper = "none"

    @field_validator("space")
    @classmethod
    def _only_the_recipe_is_searched(cls, space: dict[str, Any]) -> dict[str, Any]:
        for key in space:
            if key not in Recipe.model_fields:
                raise ValueError(f"'{key}' is not a key of the recipe (allowed: {', '.join(Recipe.model_fields)})")
        return space

    @model_validator(mode="after")
    def _every_choice_makes_a_recipe(self) -> "Search":
        for key, choices in self.space.items():
            for value in (choices.low, choices.high) if isinstance(choices, Span) else choices:
                Recipe.model_validate({key: value})
        return self


class Study(Frozen):
    """A whole question: which of these networks, on these encoders, for these data sets?"""

    name: str
    question: str = "Does nesting help, or only the parameters that come with it?"
    datasets: tuple[DatasetSpec, ...] = Field(min_length=1)
    encoders: tuple[str, ...] = Field(default=("timm:resnet18",), min_length=1)
    models: tuple[str, ...] = Field(
        default=("unet", "wide-unet", "unet-e", "unet+ds", "unet++", "unet++ds"), min_length=1
    )
    depth: int = Field(default=4, ge=1, le=MAX_DEPTH)
    block: Block = "modern"
    recipe: Recipe = Recipe()
    search: Search | None = None
    seeds: int = Field(default=3, ge=1)

    @field_validator("name")
    @classmethod
    def _name_is_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(f"'{name}' must be letters, digits, '.', '_' and '-': results are kept in a folder of it")
        return name

    @model_validator(mode="after")
    def _each_thing_once(self) -> "Study":
        named = {"datasets": [d.title for d in self.datasets], "encoders": self.encoders, "models": self.models}
        for key, names in named.items():
            twice = sorted({n for n in names if list(names).count(n) > 1})
            if twice:
                hint = " (give one of them a label)" if key == "datasets" else ""
                raise ValueError(f"{key} has '{twice[0]}' twice{hint}")
        return self

    def cells(self) -> Iterator["Cell"]:
        """Every data set with every encoder and member, in the order of the file."""
        for dataset in self.datasets:
            for encoder in self.encoders:
                for model in self.models:
                    yield Cell(dataset=dataset, encoder=encoder, model=model, depth=self.depth, block=self.block)

    def check_models(self) -> None:
        """Raise RequestError for a member's name that does not exist, with the nearest one that does."""
        for model in self.models:
            topology(model, self.depth)


class Cell(Frozen):
    """One network on one data set; what differs between its runs is the seed."""

    dataset: DatasetSpec
    encoder: str
    model: str
    depth: int
    block: Block

    @property
    def key(self) -> tuple[str, str, str]:
        """Data set, encoder and member: what names a cell within its study."""
        return self.dataset.title, self.encoder, self.model

    def __str__(self) -> str:
        return " / ".join(self.key)


class Run(Frozen):
    """One training: a cell, a recipe and a seed. Everything that decides its outcome is in here."""

    cell: Cell
    recipe: Recipe
    seed: int = Field(ge=0)
    trial: int | None = None
    """Number within the cell's search; None for the runs that are reported."""

    @property
    def label(self) -> str:
        """Name within the cell: ``seed-0`` or ``trial-003``."""
        return f"seed-{self.seed}" if self.trial is None else f"trial-{self.trial:03d}"

    def __str__(self) -> str:
        return f"{self.cell} / {self.label}"

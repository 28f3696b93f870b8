"""A study as frozen data: Study -> Cell -> Run."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nestbench.study.data import DatasetSpec
from nestbench.study.models import check_model, check_task, is_detector, split_depth
from nestbench.study.recipe import WHOLE, Recipe, Search
from nestbench.study.words import FolderName, Frozen, slug
from nestbench.topology import GRIDS, MAX_DEPTH, parse

__all__ = ["DEVICES", "ENGINES", "WHOLE", "Block", "Cell", "Recipe", "Run", "Search", "Study", "Task"]

Block = Literal["modern", "paper"]
Task = Literal["semantic", "instance"]

DEVICES = ("auto", "cpu", "cuda")
ENGINES = ("torch", "openvino")
"""What computes a trained network."""


def seed_label(seed: int) -> str:
    """What a run with a reported seed is called within its cell."""
    return f"seed-{seed}"


def trial_label(number: int) -> str:
    """What a trial of a cell's search is called."""
    return f"trial-{number:03d}"


class Study(Frozen):
    """A whole question: which of these networks, on these encoders, for these data sets?"""

    name: FolderName
    task: Task = "semantic"
    """``semantic``: the class of each pixel. ``instance``: objects told apart, by a Mask R-CNN, or in what a network of
    classes finds."""
    question: str = "Does nesting help, or only the parameters that come with it?"
    datasets: tuple[DatasetSpec, ...] = Field(min_length=1)
    encoders: tuple[str, ...] = Field(default=("timm:resnet18",), min_length=1)
    models: tuple[str, ...] = Field(
        default=("unet", "wide-unet", "unet-e", "unet+ds", "unet++", "unet++ds"), min_length=1
    )
    depth: int = Field(default=4, ge=1, le=MAX_DEPTH)
    block: Block = "modern"
    pretrained: bool | dict[str, str] = False
    """True: every encoder begins with its published weights; or a safetensors file for each encoder that has one."""
    recipe: Recipe = Recipe()
    search: Search | None = None
    seeds: int = Field(default=3, ge=1)
    margin: float = Field(default=0.5, gt=0, le=100)
    """IoU points below which a difference does not matter: what equivalent, and not inferior, mean in the report."""

    @field_validator("pretrained", mode="before")
    @classmethod
    def _encoders_begin_somewhere(cls, start: Any, others: ValidationInfo) -> Any:
        files = start.items() if isinstance(start, dict) else ()
        if isinstance(start, bool | dict) and all(isinstance(word, str) for pair in files for word in pair):
            return start
        encoder, *_ = others.data.get("encoders", cls.model_fields["encoders"].default)
        file = start if isinstance(start, str) else "FILE.safetensors"
        said = f"must be true, false, or a file for each encoder: {{{encoder}: {file}}}"
        raise PydanticCustomError("pretrained", "{said}", {"said": said})

    @model_validator(mode="after")
    def _each_thing_once(self) -> "Study":
        named = {"datasets": [d.title for d in self.datasets], "encoders": self.encoders, "models": self.models}
        for key, names in named.items():
            folders = [slug(name) for name in names]
            twice = [name for name, folder in zip(names, folders, strict=True) if folders.count(folder) > 1]
            if twice:
                hint = " (give one of them a label)" if key == "datasets" else ""
                raise ValueError(f"{key} has '{twice[0]}' twice{hint}")
        members = [parse(model, self.depth) for model in self.models if model.partition(":")[0] in GRIDS]
        members += [split_depth(model, self.depth) for model in self.models if model.partition(":")[0] not in GRIDS]
        same = [f"'{member}' at depth {depth}" for member, depth in members if members.count((member, depth)) > 1]
        if same:
            raise ValueError(f"models has {same[0]} twice")
        if isinstance(self.pretrained, dict) and (strangers := set(self.pretrained) - set(self.encoders)):
            raise ValueError(f"pretrained has a file for '{min(strangers)}', which is not among the encoders")
        if "speed" in named["datasets"]:
            raise ValueError("a data set cannot be called 'speed': that folder holds the timings")
        return self

    def cells(self) -> Iterator["Cell"]:
        """Every data set with every encoder and member, in the order of the file."""
        for dataset in self.datasets:
            for encoder in self.encoders:
                for model in self.models:
                    yield Cell(
                        dataset=dataset,
                        encoder=encoder,
                        model=model,
                        depth=self.depth,
                        block=self.block,
                        pretrained=self.start(encoder),
                        task=self.task,
                    )

    def start(self, encoder: str) -> bool | str:
        """How an encoder begins: at random, with its published weights (True), or from a file."""
        return self.pretrained if isinstance(self.pretrained, bool) else self.pretrained.get(encoder, False)

    def check_models(self) -> None:
        """Raise RequestError for a network's name that does not exist, with the nearest one that does."""
        for model in self.models:
            check_model(model, self.depth)
            check_task(model, self.task)


class Cell(Frozen):
    """One network on one data set; what differs between its runs is the seed."""

    dataset: DatasetSpec
    encoder: str
    model: str
    depth: int
    block: Block
    pretrained: bool | str = False
    task: Task = "semantic"

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the first task that there was: results from before there was another stay what they are."""
        content: dict[str, Any] = dump(self)
        return {key: value for key, value in content.items() if (key, value) != ("task", "semantic")}

    @property
    def key(self) -> tuple[str, str, str]:
        """Data set, encoder and member: what names a cell within its study."""
        return self.dataset.title, self.encoder, self.model

    @property
    def criterion(self) -> str:
        """By what its epochs and trials are compared on the validation side."""
        return "Score" if is_detector(self.model) else "IoU"

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
        return seed_label(self.seed) if self.trial is None else trial_label(self.trial)

    def __str__(self) -> str:
        return f"{self.cell} / {self.label}"

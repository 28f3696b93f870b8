"""How networks are trained, and what of it is searched."""

from math import prod
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nestbench.study.space import Space, Span, axes
from nestbench.study.words import Frozen

Schedule = Literal["constant", "cosine", "plateau"]
Stopper = Literal["none", "median", "hyperband", "wilcoxon"]
Sampler = Literal["tpe", "random", "grid", "cmaes", "gp"]


class Recipe(Frozen):
    """How one network is trained. The defaults are the papers' where they state one."""

    learning_rate: float = Field(default=3e-4, gt=0)
    schedule: Schedule = "constant"
    """``cosine`` falls to zero over ``epochs``; ``plateau`` falls to a fifth whenever the validation IoU has not risen
    for half of ``patience``."""
    batch: int = Field(default=16, ge=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=10, ge=1)
    """Epochs without a better score on the validation side after which training stops: the mean IoU, or of a Mask
    R-CNN the mean Score."""
    loss: str = "bce-dice"
    """A Mask R-CNN has losses of its own."""
    weight_decay: float = Field(default=0.0, ge=0)
    augment: bool = True


WHOLE = frozenset(key for key, field in Recipe.model_fields.items() if field.annotation is int)
"""The keys of a recipe that are whole numbers."""


class Search(Frozen):
    """The same search for every cell: so many trials over the same space."""

    trials: int = Field(ge=1)
    space: Space = Field(min_length=1)
    sampler: Sampler = "tpe"
    stopper: Stopper = "none"

    @field_validator("space")
    @classmethod
    def _every_choice_makes_a_recipe(cls, space: dict[str, Any]) -> dict[str, Any]:
        return {key: _checked(key, choices) for key, choices in space.items()}

    @model_validator(mode="after")
    def _the_sampler_takes_the_space(self) -> "Search":
        if self.sampler == "cmaes" and not any(isinstance(span, Span) for span in self.space.values()):
            raise ValueError("sampler 'cmaes' searches ranges from low to high, and space has only lists of choices")
        points = prod(map(len, axes(self.space, WHOLE).values())) if self.sampler == "grid" else self.trials
        if points != self.trials:
            raise ValueError(f"sampler 'grid' tries each of its {points} points once, but trials is {self.trials}")
        return self


def _checked(key: str, choices: Span | list[Any]) -> Span | list[Any]:
    """What a key of the recipe may be searched over; each choice as the recipe would hold it (1e-3 is a number)."""
    if key not in Recipe.model_fields:
        raise ValueError(f"'{key}' is not a key of the recipe (allowed: {', '.join(Recipe.model_fields)})")
    if not isinstance(choices, Span):
        return [getattr(Recipe.model_validate({key: choice}), key) for choice in choices]
    if Recipe.model_fields[key].annotation not in (int, float):
        raise ValueError(f"'{key}' is not a number: it is searched over a list of choices, not from low to high")
    for end in (choices.low, choices.high):
        Recipe.model_validate({key: end})
    return choices

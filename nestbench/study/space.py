"""What a search tries: for each key a range of numbers, or a list of choices."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from nestbench.study.words import Frozen


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


Choices = list[Any]
Space = dict[str, Span | Annotated[Choices, Field(min_length=1)]]


def axes(space: Space, whole: Collection[str]) -> dict[str, Sequence[Any]]:
    """The values of each key on a grid; those of a range are all its whole numbers.

    Raises ValueError for a range of a key that is not whole.
    """
    for key, span in space.items():
        if isinstance(span, Span) and key not in whole:
            raise ValueError(f"sampler 'grid' needs a list of choices for '{key}', not a range from low to high")
    return {
        key: range(int(span.low), int(span.high) + 1) if isinstance(span, Span) else span for key, span in space.items()
    }


def holds(space: Space, values: Mapping[str, Any]) -> bool:
    """Whether every key has a value that may be suggested for it."""
    return all(
        span.low <= values[key] <= span.high if isinstance(span, Span) else values[key] in span
        for key, span in space.items()
    )

"""Microscopy that is drawn, so that everything runs without a download."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.microscopy import draw_picture, draw_slide
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

PICTURES = 4
"""Pictures of one slide."""

# Raised whenever the pictures of one seed would come out otherwise.
_GENERATOR = 1


class Options(Frozen):
    """Keys of a study for this data set."""

    cases: Annotated[int, Field(ge=3 * PICTURES, le=100_000)] = 160
    seed: Annotated[int, Field(ge=0)] = 0


class Synthetic:
    """Cells against the background, drawn: a picture is a function of the seed and its own number."""

    about = About(
        title="Synthetic microscopy",
        licence="Apache-2.0",
        citation="Drawn by nestbench",
        url="",
    )
    classes = ("background", "cell")
    channels = 1
    dims = 2
    shares = (0.5, 0.2, 0.3)

    def __init__(self, _root: Path, /, **options: Any) -> None:
        self._options = checked("data set 'synthetic'", Options, options)

    def cases(self) -> tuple[Case, ...]:
        """As many cases as the options say, PICTURES to a slide."""
        numbers = range(self._options.cases)
        return tuple(Case(f"{n:05d}", f"slide-{n // PICTURES:05d}") for n in numbers)

    def read(self, case: Case) -> Sample:
        """Draw one picture with its cells."""
        number, seed = int(case.id), self._options.seed
        slide = draw_slide(np.random.default_rng((seed, 0, number // PICTURES)))
        return draw_picture(slide, np.random.default_rng((seed, 1, number)))

    def fingerprint(self) -> Any:
        """The options, and the version of the generator."""
        return {"generator": _GENERATOR, **self._options.model_dump()}

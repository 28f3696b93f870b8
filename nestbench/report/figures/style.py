"""One look for all figures: colours that colour-blind readers can tell, and shapes that survive a grey print."""

from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import get_data_path, rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

FONTS = Path(get_data_path()) / "fonts" / "ttf"
"""Where the figures' font lies: text in the figures stays text, so whoever typesets them needs it."""

WIDTH = 6.5
"""Width of every figure in inches: that of the page's text."""

# Okabe and Ito's palette (2008) without its yellow, which is lost on white paper.
_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "nestbench",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.06,
}


class Mark(NamedTuple):
    """How one member is drawn in every figure."""

    colour: str
    marker: str
    dash: Any


def marks(models: tuple[str, ...]) -> dict[str, Mark]:
    """A mark for each member of a study; more members than colours still differ by shape."""
    looks = zip(cycle(_COLOURS), cycle(_MARKERS), cycle(_DASHES), strict=False)
    return {model: Mark(*look) for model, look in zip(models, looks, strict=False)}


def styled() -> Any:
    """Context within which figures are made and saved."""
    return rc_context(_RC)


def handle(mark: Mark, label: str) -> Line2D:
    """Entry of a legend for one member."""
    return Line2D([], [], color=mark.colour, marker=mark.marker, linestyle=mark.dash, markersize=4.5, label=label)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG; the same figure gives the same bytes.

    It is laid out here, once: with a layout engine left in it, matplotlib draws it twice.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        with rc_context({"figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})

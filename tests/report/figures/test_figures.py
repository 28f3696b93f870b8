from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nestbench.report.chapters import Tables
from nestbench.report.figures import accuracy, curves
from nestbench.report.figures.style import marks, styled
from nestbench.report.gather import Evidence


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled():
        yield


@pytest.fixture(scope="module", params=["parameters", "time", "curves"])
def draw(request: pytest.FixtureRequest, wide: Evidence, wide_numbers: Tables) -> Callable[[], Figure]:
    """Draws one kind of figure of the wide study."""
    looks = marks(wide.study.models)
    return {
        "parameters": lambda: accuracy.accuracy_by_parameters(wide_numbers["members"], looks, 4),
        "time": lambda: accuracy.accuracy_by_time(wide_numbers["depths"], looks, 4),
        "curves": lambda: curves.learning_curves(wide.epochs, looks, 4),
    }[request.param]


def test_nothing_of_a_figure_is_cut_off(draw: Callable[[], Figure]) -> None:
    figure = draw()
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


def test_the_legend_names_every_member(evidence: Evidence, numbers: Tables) -> None:
    (legend,) = accuracy.accuracy_by_parameters(numbers["members"], marks(evidence.study.models), 4).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "U-Net",
        "wide U-Net",
        "U-Netᵉ",
        "UNet+ DS",
        "UNet++",
        "UNet++ DS",
    ]


def test_members_differ_in_shape_and_not_in_colour_alone() -> None:
    looks = list(marks(tuple("abcdefg")).values())
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 7
    every = marks(tuple(f"unet:{i}" for i in range(40)))
    assert len(set(map(str, every.values()))) == 40


def test_a_pruned_network_stands_at_its_own_time(evidence: Evidence, numbers: Tables) -> None:
    (axes,) = accuracy.accuracy_by_time(numbers["depths"], marks(evidence.study.models), 4).axes
    own = evidence.speed[(evidence.speed["model"] == "unet++ds") & (evidence.speed["output"] != "all")]
    assert any(np.array_equal(line.get_xdata(), own["median_ms"]) for line in axes.get_lines())


def test_the_thick_line_ends_where_the_first_seed_stops() -> None:
    lengths = {0: 5, 1: 8}
    epochs = pd.DataFrame(
        [
            {
                "encoder": "e",
                "model": "unet",
                "seed": s,
                "index": i,
                "validation_iou": 0.5 + s / 10,
                "validation_loss": 1.0,
            }
            for s, length in lengths.items()
            for i in range(length)
        ]
    )
    left, _ = curves.learning_curves(epochs, marks(("unet",)), 4).axes
    thick, thin, ends = left.get_lines()
    assert thick.get_xdata()[-1] == 5  # epochs are counted from 1
    assert thin.get_xdata().tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(thin.get_ydata(), [55, 60, 60, 60])
    assert list(ends.get_xdata()) == [5, 8]


def test_the_axes_show_the_later_half_of_every_training(evidence: Evidence) -> None:
    left, right = curves.learning_curves(evidence.epochs, marks(evidence.study.models), 4).axes
    late = evidence.epochs[evidence.epochs["index"] >= 30]
    for axes, values in ((left, 100 * late["validation_iou"]), (right, late["validation_loss"])):
        low, high = axes.get_ylim()
        assert low < values.min()
        assert values.max() < high

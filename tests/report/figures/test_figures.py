from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from nestbench.report.chapters import Tables
from nestbench.report.figures import accuracy, curves, depths, gains, ranks, searches
from nestbench.report.figures.style import marks, styled
from nestbench.report.gather import Evidence


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled():
        yield


KINDS = ("parameters", "encoders", "time", "depths", "cases", "sizes", "importance", "curves")


@pytest.fixture(scope="module", params=KINDS)
def draw(request: pytest.FixtureRequest, wide: Evidence, wide_numbers: Tables) -> Callable[[], Figure]:
    """Draws one kind of figure of the wide study."""
    looks = marks(wide.study.models)
    return {
        "parameters": lambda: accuracy.accuracy_by_parameters(wide_numbers["members"], looks, 4),
        "encoders": lambda: accuracy.by_encoder(wide_numbers["members"], looks, 4),
        "depths": lambda: depths.by_depth(wide_numbers["depths"], looks, 4),
        "cases": lambda: gains.by_case(wide_numbers["cases"], looks, 4),
        "sizes": lambda: gains.by_size(wide_numbers["sizes"], looks, 4),
        "importance": lambda: searches.importance(wide.importance, looks, 4),
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


def test_names_of_heads_stand_clear_of_every_marker() -> None:
    times = {"unet": [4.0], "unet++": [4.2], "unet++ds": [1.0, 2.0, 4.0, 6.0, 6.2]}
    scores = {"unet": [0.81], "unet++": [0.805], "unet++ds": [0.78, 0.79, 0.8, 0.81, 0.812]}
    rows = [
        {"encoder": "plain", "model": model, "output": output, "depth": depth, "median_ms": ms, "test": iou}
        for model in times
        for (depth, output), ms, iou in zip(
            [(4, "L4")] if len(times[model]) == 1 else [(1, "L1"), (2, "L2"), (3, "L3"), (4, "L4"), (4, "ensemble")],
            times[model],
            scores[model],
            strict=True,
        )
    ]
    with styled():
        figure = accuracy.accuracy_by_time(pd.DataFrame(rows), marks(tuple(times)), 4)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in names] == ["L1", "L4"]
    points = axes.transData.transform([(row["median_ms"], 100 * row["test"]) for row in rows])
    for name in names:
        box = name.get_window_extent()
        middle = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
        assert np.linalg.norm(points - middle, axis=1).min() * 72 / figure.dpi > 7


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
    thick, thin, end, foot = left.get_lines()
    assert thick.get_xdata()[-1] == 5  # epochs are counted from 1
    assert thin.get_xdata().tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(thin.get_ydata(), [55, 60, 60, 60])
    assert (list(end.get_xdata()), list(end.get_ydata())) == ([5], [55])
    assert list(foot.get_xdata()) == [5, 8]


def test_no_curve_runs_through_the_markers_at_the_foot(evidence: Evidence) -> None:
    left, _ = curves.learning_curves(evidence.epochs, marks(evidence.study.models), 4).axes
    feet = [line for line in left.get_lines() if line.get_transform() != left.transData]
    assert len(feet) == len(evidence.study.models)
    late = evidence.epochs[evidence.epochs["index"] >= 30]
    highest = left.transAxes.transform((0, max(line.get_ydata()[0] for line in feet)))[1]
    assert left.transData.transform((0, 100 * late["validation_iou"].min()))[1] > highest


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_small_differences_are_drawn_as_they_are(differences: list[float]) -> None:
    near = gains.linear_to(pd.Series(differences))
    assert near <= max(float(np.median(differences)), 0.1)
    assert 2.5 * near >= min(float(np.median(differences)), 100)


def test_the_axes_show_the_later_half_of_every_training(evidence: Evidence) -> None:
    left, right = curves.learning_curves(evidence.epochs, marks(evidence.study.models), 4).axes
    late = evidence.epochs[evidence.epochs["index"] >= 30]
    for axes, values in ((left, 100 * late["validation_iou"]), (right, late["validation_loss"])):
        low, high = axes.get_ylim()
        assert low < values.min()
        assert values.max() < high


def test_the_pareto_front_has_only_members_that_none_beats_in_both() -> None:
    table = pd.DataFrame({"parameters": [3.0, 1.0, 2.0, 2.0, 4.0], "iou": [0.8, 0.7, 0.75, 0.6, 0.8]})
    assert accuracy.pareto(table)[["parameters", "iou"]].to_numpy().tolist() == [[1.0, 0.7], [2.0, 0.75], [3.0, 0.8]]


def test_the_worst_case_of_a_member_stands_first(numbers: Tables, evidence: Evidence) -> None:
    (axes,) = gains.by_case(numbers["cases"], marks(evidence.study.models), 4).axes
    curves_of_members = [line.get_ydata() for line in axes.get_lines() if len(line.get_xdata()) == 24]
    assert len(curves_of_members) == 5
    for values in curves_of_members:
        assert np.all(np.diff(values) >= 0)


def test_each_depth_of_a_deep_member_is_drawn_at_its_depth(numbers: Tables, evidence: Evidence) -> None:
    (axes,) = depths.by_depth(numbers["depths"], marks(evidence.study.models), 4).axes
    lines = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) == 4]
    assert len(lines) >= 3
    for places in lines:
        np.testing.assert_allclose(np.asarray(places, float), [1, 2, 3, 4], atol=0.2)


def test_embedded_stands_above_zero_where_it_is_better_whichever_way_round_the_test_has_it() -> None:
    names = {"dataset": "d", "encoder": "e", "output": "L2", "low": -0.01, "high": 0.03, "difference": 0.01}
    better = names | {"model": "unet++ds", "against": "unet++ds:2"}
    worse = names | {"model": "unet-e:3", "against": "unet-e", "output": "L3"}
    table = depths.paired(pd.DataFrame([better, worse]), 4)
    assert table[["model", "depth", "difference"]].to_numpy().tolist() == [["unet++ds", 2, 0.01], ["unet-e", 3, -0.01]]
    assert table["low"].tolist() == [-0.01, -0.03]
    (axes,) = depths.embedded(table, marks(("unet++ds", "unet-e")), 4).axes
    assert axes.get_xlabel() == "depth"


def test_the_critical_difference_diagram_has_a_bar_for_each_set_that_is_not_told_apart() -> None:
    table = pd.DataFrame({"model": ["unet++", "unet+", "unet"], "rank": [1.1, 1.9, 3.0], "group": ["a", "ab", "b"]})
    table = table.assign(datasets=10, friedman=0.001, critical=1.05)
    (axes,) = ranks.critical_difference(table, marks(("unet", "unet+", "unet++")), 4).axes
    bars = [line for line in axes.get_lines() if line.get_linewidth() > 2]
    ends = [(bar.get_xdata()[0], bar.get_xdata()[-1]) for bar in bars]
    np.testing.assert_allclose(ends, [(1.04, 1.96), (1.84, 3.06)])
    assert "critical difference 1.05" in [text.get_text() for text in axes.texts]

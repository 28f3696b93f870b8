from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from nestbench.report.figures.grids import SHADES, Cost, member_grid, member_grids, write_grid
from nestbench.report.figures.lattice import place
from nestbench.report.figures.style import styled
from nestbench.topology import MEMBERS, topology

DEEP = [name for name, member in MEMBERS.items() if member.deep_supervision]


def portrait(member: str, depth: int, prune: int | None = None) -> Figure:
    grid = topology(member, depth)
    costs = [Cost(d, "19,041,700", "24.1 G") for d in grid.heads]
    if grid.deep_supervision:
        costs.append(Cost(None, "19,041,700", "24.1 G"))
    with styled():
        return member_grid(grid, member, "timm:convnext_tiny, block modern; FLOPs of 3 x 96 x 96", costs, prune)


def words(figure: Figure) -> Counter[str]:
    return Counter(text.get_text() for axes in figure.axes for text in axes.texts if text.get_text())


@pytest.mark.parametrize("model", MEMBERS)
def test_a_drawing_has_the_nodes_and_heads_of_the_topology(model: str) -> None:
    grid = topology(model, 3)
    with styled():
        figure = member_grids((model,), 3)
    nodes = [f"{node.level}{node.column}" for node in grid.nodes]
    assert words(figure) == Counter(["00", "10", "20", "30", *nodes, *(f"L{head}" for head in grid.heads)])


@pytest.mark.parametrize("model", MEMBERS)
def test_a_drawing_has_an_arrow_for_each_head_and_everything_that_a_node_reads(model: str) -> None:
    grid = topology(model, 4)
    with styled():
        (axes,) = member_grids((model,), 4).axes
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 4 + sum(len(grid.parents(node)) for node in grid.nodes) + len(grid.heads)


def test_members_with_the_same_grid_share_a_drawing() -> None:
    with styled():
        figure = member_grids(("unet", "wide-unet", "unet++"), 4)
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["U-Net, wide U-Net", "UNet++"]


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("member", MEMBERS)
def test_no_letters_of_a_drawing_meet_and_none_are_cut(member: str, depth: int) -> None:
    figure = portrait(member, depth, prune=depth)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in figure.axes[0].texts if t.get_text()]
    assert [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])] == []
    sheet = figure.bbox
    assert all(sheet.x0 < box.x0 < box.x1 < sheet.x1 and sheet.y0 < box.y0 < box.y1 < sheet.y1 for box in boxes)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_drawing_of_one_member_names_its_nodes_as_the_papers_do_and_counts_them(member: str) -> None:
    grid, found = topology(member, 3), words(portrait(member, 3))
    for node in grid.nodes:
        assert found[f"$x^{{{node.level},{node.column}}}$"] == 1
    assert sum(count for word, count in found.items() if word.startswith("$x")) == 4 + len(grid.nodes)
    assert found[str(4 + len(grid.nodes))] >= 1


@pytest.mark.parametrize("member", DEEP)
def test_a_node_has_the_shade_of_the_first_network_of_the_table_that_contains_it(member: str) -> None:
    grid = topology(member, 4)
    (axes,) = portrait(member, 4).axes
    # Column 0 is drawn as boxes, each named by the text that is drawn at its middle.
    faces = {to_hex(patch.get_facecolor()) for patch in axes.patches if not isinstance(patch, FancyArrowPatch)}
    assert faces == set(SHADES[:4])
    circles = {patch.center: to_hex(patch.get_facecolor()) for patch in axes.patches if isinstance(patch, Circle)}
    for node in grid.nodes:
        least = min(depth for depth in grid.heads if node in grid.prune(depth).nodes)
        assert circles[place(node)] == SHADES[least - 1]


def test_the_pruned_depth_stands_out_in_the_table() -> None:
    (axes,) = portrait("unet++ds", 4, prune=2).axes
    bold = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert bold == ["pruned to L2", "6", "19,041,700", "24.1 G"]


@pytest.mark.parametrize("suffix", [".svg", ".png", ".PDF"])
def test_the_same_drawing_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    first, again = (write_grid(portrait("unet-e", 1), tmp_path / f"{name}{suffix}") for name in ("a", "b"))
    assert first.read_bytes() == again.read_bytes()


def test_letters_of_a_drawing_need_no_font(tmp_path: Path) -> None:
    out = write_grid(portrait("unet", 2), tmp_path / "grid.svg")
    assert "<text" not in out.read_text()

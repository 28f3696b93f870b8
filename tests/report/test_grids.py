from collections import Counter

import pytest

from nestbench.report.grids import member_grids
from nestbench.report.style import styled
from nestbench.topology import MEMBERS, topology


@pytest.mark.parametrize("model", MEMBERS)
def test_a_drawing_has_the_nodes_and_heads_of_the_topology(model: str) -> None:
    grid = topology(model, 3)
    with styled():
        (axes,) = member_grids((model,), 3).axes
    drawn = Counter(text.get_text() for text in axes.texts)
    nodes = [f"{node.level}{node.column}" for node in grid.nodes]
    assert drawn == Counter(["00", "10", "20", "30", *nodes, *(f"L{head}" for head in grid.heads)])


@pytest.mark.parametrize("model", MEMBERS)
def test_a_drawing_has_an_arrow_for_everything_that_a_node_reads(model: str) -> None:
    grid = topology(model, 4)
    with styled():
        (axes,) = member_grids((model,), 4).axes
    assert len(axes.patches) == 4 + sum(len(grid.parents(node)) for node in grid.nodes)


def test_members_with_the_same_grid_share_a_drawing() -> None:
    with styled():
        figure = member_grids(("unet", "wide-unet", "unet++"), 4)
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["U-Net, wide U-Net", "UNet++"]

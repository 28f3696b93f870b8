from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.transforms import Affine2D

from nestbench.report.figures.grids import SHADES
from nestbench.report.figures.lattice import (
    GONE,
    HEAD,
    RADIUS,
    SKIP,
    STEP,
    Look,
    draw_grid,
    edges,
    head_room,
    luminance,
    place,
    route,
)
from nestbench.topology import MEMBERS, Node, Topology, topology

FINE = 200.0
"""How finely a curve is followed: points a unit."""


def points(grid: Topology, start: Node, end: Node) -> np.ndarray:
    """The line between two nodes as points (N, 2)."""
    scaled = route(grid, start, end).transformed(Affine2D().scale(FINE))
    (corners,) = scaled.to_polygons(closed_only=False)
    steps = np.linspace(0, 1, 50)[:, None]
    return np.concatenate([a + steps * (b - a) for a, b in pairwise(corners)]) / FINE


def colours(grid: Topology, kept: Topology) -> dict[str, int]:
    axes = Figure().add_subplot()
    draw_grid(axes, grid, Look(str, lambda _: "white", 9.0), kept)
    drawn = [to_hex(patch.get_edgecolor()) for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    return {stroke.colour: drawn.count(stroke.colour.lower()) for stroke in (STEP, SKIP, HEAD, GONE)}


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_no_line_runs_through_a_node(member: str, depth: int) -> None:
    grid = topology(member, depth)
    every = grid.places
    for start, end in edges(grid):
        line = points(grid, start, end)
        for node in set(every) - {start, end}:
            assert np.hypot(*(line - place(node)).T).min() > 1.3 * RADIUS, (start, end, node)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_line_leads_from_rim_to_rim(member: str) -> None:
    grid = topology(member, 5)
    for start, end in edges(grid):
        line = points(grid, start, end)
        assert np.hypot(*(line[0] - place(start))) == pytest.approx(RADIUS)
        assert np.hypot(*(line[-1] - place(end))) == pytest.approx(RADIUS)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_no_two_lines_of_a_node_land_on_one_spot(depth: int) -> None:
    grid = topology("unet++", depth)
    for node in grid.nodes:
        landings = [points(grid, start, end)[-1] for start, end in edges(grid) if end == node]
        assert all(np.hypot(*(a - b)) > RADIUS / 5 for a, b in combinations(landings, 2))


@pytest.mark.parametrize("member", MEMBERS)
def test_heads_reach_beyond_every_line(member: str) -> None:
    grid = topology(member, 5)
    assert all(points(grid, start, end)[:, 1].max() < head_room(grid) for start, end in edges(grid))


@pytest.mark.parametrize("member", [name for name, member in MEMBERS.items() if member.deep_supervision])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_what_is_not_faint_is_the_pruned_member(member: str, depth: int) -> None:
    whole = topology(member, 4)
    small = whole.prune(depth)
    found, alone, before = colours(whole, small), colours(small, small), colours(whole, whole)
    gone = sum(before.values()) - sum(alone.values())
    assert found == alone | {GONE.colour: gone}


def test_shades_can_be_told_apart_in_grey() -> None:
    brightness = [luminance(shade) for shade in SHADES]
    assert all(darker + 0.08 < lighter for darker, lighter in pairwise(brightness))

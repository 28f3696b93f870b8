import re

import pytest

from nestbench.cli.grid import draw, name
from nestbench.topology import MEMBERS, topology


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_every_node_that_exists_is_drawn_once_on_its_level(member: str, depth: int) -> None:
    grid = topology(member, depth)
    lines = draw(grid).splitlines()
    for level in range(depth + 1):
        wanted = [name(n) for n in sorted(grid.places, key=lambda n: n.column) if n.level == level]
        assert re.findall(r"x\d\d", lines[2 * level]) == wanted


@pytest.mark.parametrize("member", MEMBERS)
def test_heads_alone_stand_in_brackets(member: str) -> None:
    grid = topology(member, 4)
    assert re.findall(r"\[(x\d\d)\]", draw(grid)) == [f"x0{d}" for d in grid.heads]


def test_a_line_between_neighbours_is_a_skip_between_them() -> None:
    lines = {member: draw(topology(member, 3)).splitlines()[0] for member in ("unet-e", "unet+ds")}
    assert lines["unet-e"] == " x00────[x01]   [x02]   [x03]"
    assert lines["unet+ds"] == " x00────[x01]───[x02]───[x03]"


def test_slopes_join_a_node_to_the_nodes_that_it_reads_and_feeds() -> None:
    lines = draw(topology("unet", 2)).splitlines()
    assert lines[:5] == [
        " x00            [x02]",
        "    \N{BOX DRAWINGS LIGHT DIAGONAL UPPER LEFT TO LOWER RIGHT}           "
        "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}",
        "     x10─────x11",
        "        \N{BOX DRAWINGS LIGHT DIAGONAL UPPER LEFT TO LOWER RIGHT}   "
        "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}",
        "         x20",
    ]


@pytest.mark.parametrize("member", [name for name, member in MEMBERS.items() if member.deep_supervision])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_pruning_leaves_the_pruned_member_where_it_stood_and_a_dot_for_each_node_that_is_gone(
    member: str, depth: int
) -> None:
    whole = topology(member, 4)
    drawn, alone = draw(whole, depth).splitlines(), draw(whole.prune(depth)).splitlines()
    gone = len(whole.places) - len(whole.prune(depth).places)
    assert sum(line.count("\N{MIDDLE DOT}") for line in drawn[:9]) == gone
    assert [line.replace("\N{MIDDLE DOT}", " ").rstrip() for line in drawn[: 2 * depth + 1]] == alone[: 2 * depth + 1]


def test_dots_are_explained_below() -> None:
    assert draw(topology("unet++ds", 3), 1).endswith("\N{MIDDLE DOT} is what pruning to depth 1 removes")


def test_nothing_is_explained_where_nothing_is_removed() -> None:
    assert draw(topology("unet", 3), 3) == draw(topology("unet", 3))

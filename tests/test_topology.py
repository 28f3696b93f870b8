import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.errors import RequestError
from nestbench.topology import MAX_DEPTH, MEMBERS, Node, Topology, parse, topology

depths = st.integers(1, MAX_DEPTH)
names = st.sampled_from(sorted(MEMBERS))


@given(depths)
def test_a_pruned_ensemble_is_a_unet(depth):
    assert topology("unet-e", MAX_DEPTH).prune(depth) == topology("unet", depth)


@given(depths)
def test_pruning_a_deeply_supervised_member_gives_the_same_member_with_one_head(depth):
    assert topology("unet++ds", MAX_DEPTH).prune(depth) == topology("unet++", depth)
    assert topology("unet+ds", MAX_DEPTH).prune(depth) == topology("unet+", depth)


@given(names, depths)
def test_every_node_comes_after_all_that_it_reads(name, depth):
    grid = topology(name, depth)
    seen = {Node(level, 0) for level in range(depth + 1)}
    for node in grid.nodes:
        assert set(grid.parents(node)) <= seen
        seen.add(node)
    assert {Node(0, d) for d in grid.heads} <= seen


@given(names, depths)
def test_a_member_has_the_nodes_of_its_definition(name, depth):
    nodes = set(topology(name, depth).nodes)
    triangle = {Node(i, j) for j in range(1, depth + 1) for i in range(depth + 1 - j)}
    diagonal = {node for node in triangle if sum(node) == depth}
    assert nodes == (diagonal if name in ("unet", "wide-unet") else triangle)


@given(names, depths, st.data())
def test_pruning_never_adds_a_node(name, depth, data):
    grid = topology(name, depth)
    kept = data.draw(st.sampled_from(grid.heads))
    assert set(grid.prune(kept).nodes) <= set(grid.nodes)
    assert max(node.level + node.column for node in grid.prune(kept).nodes) == kept


def test_the_skips_are_those_of_the_papers():
    node = Node(0, 3)
    assert topology("unet-e").columns(node) == (0,)
    assert topology("unet+").columns(node) == (2,)
    assert topology("unet++").columns(node) == (0, 1, 2)
    assert topology("unet++").parents(node) == (Node(1, 2), Node(0, 0), Node(0, 1), Node(0, 2))


def test_a_member_with_several_heads_is_judged_by_their_mean():
    assert topology("unet++ds", 3).outputs == ("L1", "L2", "L3", "ensemble")
    assert topology("unet++ds", 3).primary == "ensemble"
    assert topology("unet++", 3).outputs == ("L3",)
    assert topology("unet++", 3).primary == "L3"


def test_a_name_may_carry_its_own_depth():
    assert topology("unet:2", 4) == topology("unet", 2)
    assert parse("unet++ds:3", 4) == ("unet++ds", 3)


@pytest.mark.parametrize("name", ["unet++d", "nest", "", "unet:0", "unet:6", "unet:two", "unet:-1"])
def test_a_name_that_is_no_member_is_refused(name):
    with pytest.raises(RequestError):
        topology(name)


def test_the_nearest_member_is_named():
    with pytest.raises(RequestError, match=r"did you mean 'unet\+\+ds'"):
        topology("unet++d")


@pytest.mark.parametrize("heads", [(), (2, 1), (1, 1), (0,), (6,)])
def test_heads_that_cannot_be_are_refused(heads):
    with pytest.raises(RequestError):
        Topology("all", heads)


def test_pruning_to_a_depth_without_head_is_refused_with_the_reason():
    with pytest.raises(RequestError, match="a head was trained only at depth 4"):
        topology("unet++", 4).prune(2)


def test_skips_that_do_not_exist_are_refused():
    with pytest.raises(RequestError, match="unknown skips"):
        Topology("some", (1,))

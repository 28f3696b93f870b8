"""UNet++ without concatenation: one buffer for each level, of which every node fills a slice of channels."""

from typing import cast

import torch
from ready import engine
from torch import Tensor, nn
from ways import channels_of

from nestbench.encoders.blocks import ProjectedUp
from nestbench.engine import Engine
from nestbench.machine import Plan
from nestbench.model import Network, network
from nestbench.topology import Node


def in_buffers(model: Network, plan: Plan) -> Engine:
    """A level's buffer holds what is brought up from below, then the columns from the left: a node reads its start.

    For nodes that read all columns to their left, and images whose sides are halved evenly. It cannot be trained: the
    place for what comes from below is written to by each node of the level in turn.
    """
    plan.place(model)
    kept: dict[torch.Size, list[Tensor]] = {}

    def logits(images: Tensor) -> dict[int, Tensor]:
        with plan.autocast():
            features = model.encoder(plan.arrange(images))
            if images.shape not in kept:
                kept[images.shape] = [_buffer(model, level, feature, plan) for level, feature in enumerate(features)]
            return _answer(model, features, kept[images.shape])

    return engine(model, plan, logits)


def _buffer(model: Network, level: int, feature: Tensor, plan: Plan) -> Tensor:
    """Room for a level, beside what its encoder's feature (N, C, H, W) says of it; the lowest one needs none."""
    channels = channels_of(model)
    own = [count for node, count in channels.items() if node.level == level]
    shape = (len(feature), sum(own) + channels.get(Node(level, 1), 0), *feature.shape[2:])
    return plan.arrange(torch.empty(shape, dtype=feature.dtype, device=feature.device))


def _answer(model: Network, features: list[Tensor], buffers: list[Tensor]) -> dict[int, Tensor]:
    grid, channels = model.spec.topology, channels_of(model)
    values = {Node(grid.depth, 0): features[-1]}
    for level, feature in enumerate(features[:-1]):
        values[Node(level, 0)] = buffers[level].narrow(1, channels[Node(level, 1)], channels[Node(level, 0)])
        values[Node(level, 0)].copy_(feature)
    for node in grid.nodes:
        below, *left = grid.parents(node)
        whole, width, key = buffers[node.level], channels[node], network.node_key(node)
        _double(cast(ProjectedUp, model.up[key]).project(values[below]), whole[:, :width])
        filled = width + sum(channels[one] for one in left)
        value = cast(nn.Sequential, model.nodes[key])[:-1](whole[:, :filled])
        values[node] = torch.clamp_min(value, 0, out=whole.narrow(1, filled, width))  # the block's ReLU
    return {depth: model.heads[str(depth)](values[Node(0, depth)]) for depth in grid.heads}


def _double(coarse: Tensor, fine: Tensor) -> None:
    """Write every pixel of (N, C, H, W) four times into (N, C, 2H, 2W)."""
    rows = torch.unflatten(torch.unflatten(fine, 3, (-1, 2)), 2, (-1, 2))
    rows.copy_(coarse[:, :, :, None, :, None])

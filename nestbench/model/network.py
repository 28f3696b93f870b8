"""One decoder for the whole family: it interprets a Topology.

Source of the node's equation: arXiv 1912.05074, section III, equation 1.
"""

from typing import Any, cast

from torch import Tensor, nn

from nestbench import plugins
from nestbench.encoders.blocks import BLOCKS, CONVOLUTION, initialise
from nestbench.errors import RequestError
from nestbench.model.join import on_joined
from nestbench.model.spec import DetectorSpec, ModelSpec
from nestbench.topology import Node


class Network(nn.Module):
    """An encoder, the decoder nodes that its heads depend on, and a 1x1 convolution for each head.

    The encoder is built first: for one state of torch's generator every member starts from the same encoder.
    """

    def __init__(self, spec: ModelSpec, pretrained: bool | str = False) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = make_encoder(spec, pretrained)
        channels = _channels(spec, cast(tuple[int, ...], self.encoder.channels))
        block, grid = BLOCKS[spec.block], spec.topology
        self.up = nn.ModuleDict()
        self.nodes = nn.ModuleDict()
        for node in grid.nodes:
            below, *left = grid.parents(node)
            self.up[node_key(node)] = block.up(channels[below], channels[node], spec.dims)
            inputs = channels[node] + sum(channels[n] for n in left)
            self.nodes[node_key(node)] = block.convolve(inputs, channels[node], spec.dims)
        head = CONVOLUTION[spec.dims]
        self.heads = nn.ModuleDict({str(d): head(channels[Node(0, d)], spec.classes, 1) for d in grid.heads})
        for part in (self.up, self.nodes, self.heads):
            part.apply(initialise)

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """Logits (N, classes, H, W) of each head by its depth, for an image (N, C, H, W); volumes have a D before H.

        Any size from 2^depth pixels a side works, odd ones too.
        """
        values = {Node(level, 0): feature for level, feature in enumerate(self.encoder(image))}
        for node in self.spec.topology.nodes:
            below, *left = self.spec.topology.parents(node)
            skips = [values[n] for n in left]
            raised = self.up[node_key(node)](values[below], skips[0].shape[2:])
            values[node] = on_joined(self.nodes[node_key(node)], [raised, *skips])
        return {d: self.heads[str(d)](values[Node(0, d)]) for d in self.spec.topology.heads}


def make_encoder(spec: ModelSpec | DetectorSpec, pretrained: bool | str) -> nn.Module:
    """Build the encoder of a network; raises RequestError for one that does not exist or cannot serve it."""
    plugin, variant = plugins.find("encoder", spec.encoder)
    known = getattr(plugin, "dims", (2,))
    if spec.dims not in known:
        raise RequestError(
            f"encoder '{spec.encoder}' cannot take {spec.dims}D images, only {known[0]}D (plain takes both)"
        )
    extra: dict[str, Any] = {"block": spec.block} if getattr(plugin, "of_blocks", False) else {}
    if len(known) > 1:
        extra["dims"] = spec.dims
    encoder: nn.Module = plugin(variant, spec.topology.depth, spec.in_channels, pretrained, **extra)
    return encoder


def _channels(spec: ModelSpec, encoder: tuple[int, ...]) -> dict[Node, int]:
    """Channels of every node: the encoder's own in column 0, the spec's width elsewhere, doubled at each level."""
    width = spec.width or encoder[0]
    levels = width if isinstance(width, tuple) else [width * 2**level for level in range(spec.depth)]
    decoder = {node: levels[node.level] for node in spec.topology.nodes}
    return {Node(level, 0): c for level, c in enumerate(encoder)} | decoder


def node_key(node: Node) -> str:
    """Name of a node among modules."""
    return f"x{node.level}_{node.column}"

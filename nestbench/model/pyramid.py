"""A feature pyramid whose merges are the nodes of a Topology: with plain skips it is torchvision's, value for value.

Source of the pyramid: arXiv 1612.03144. Source of the nodes: arXiv 1912.05074, section III and, for Mask R-CNN, VI.
"""

from collections import OrderedDict
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from nestbench.encoders.blocks import BLOCKS, initialise
from nestbench.model.join import on_joined
from nestbench.model.network import make_encoder, node_key
from nestbench.model.spec import FINEST, DetectorSpec
from nestbench.topology import Node, Topology

WIDEST = 256
"""Channels of torchvision's pyramid."""
NARROWEST = 16

POOL = "pool"
"""Name of the level above the coarsest, which torchvision makes of every second cell of it."""


class Pyramid(nn.Module):
    """An encoder and a pyramid on its levels from FINEST to ``depth``, each of as many channels.

    A node is a convolution of 1 a side over what it reads of its own level, plus the node below it, resized: FPN's
    merge. With plain skips that is the encoder's feature alone, and the pyramid's own nodes are all there are. Nested
    grids have nodes between, which others read along the level; those convolve their merge, as nodes of UNet++ do. The
    encoder is built first: for one state of torch's generator every member starts from the same.
    """

    def __init__(self, spec: DetectorSpec, pretrained: bool | str = False) -> None:
        super().__init__()
        self.grid = spec.topology
        self.encoder = make_encoder(spec, pretrained)
        features = cast(tuple[int, ...], self.encoder.channels)
        self.out_channels = width = pyramid_width(features)
        self.places = places(self.grid)
        self.inner = nn.ModuleDict()
        self.between = nn.ModuleDict()
        for node in self.places:
            read = [features[n.level] if n.column == 0 else width for n in lateral(self.grid, node)]
            self.inner[node_key(node)] = nn.Conv2d(sum(read), width, 1)
            if is_between(self.grid, node):
                self.between[node_key(node)] = BLOCKS[spec.block].convolve(width, width, 2)
        self.smooth = nn.ModuleDict({str(i): nn.Conv2d(width, width, 3, padding=1) for i in self.levels})
        for part in (self.inner, self.smooth):
            part.apply(_initialise)
        self.between.apply(initialise)

    @property
    def levels(self) -> range:
        """Levels of the pyramid, finest first, without the pooled one."""
        return range(FINEST, self.grid.depth + 1)

    def forward(self, image: Tensor) -> OrderedDict[str, Tensor]:
        """Levels of an image (N, C, H, W) by their names, finest first: (N, width, H / 2^i, W / 2^i), rounded up."""
        features = self.encoder(image)
        values: dict[Node, Tensor] = {}
        for node in self.places:
            values[node] = self._value(node, features, values)
        found = {str(i): self.smooth[str(i)](values[Node(i, self.grid.depth - i)]) for i in self.levels}
        coarsest = found[str(self.grid.depth)]
        return OrderedDict(found | {POOL: functional.max_pool2d(coarsest, kernel_size=1, stride=2)})

    def _value(self, node: Node, features: list[Tensor], values: dict[Node, Tensor]) -> Tensor:
        read = [features[n.level] if n.column == 0 else values[n] for n in lateral(self.grid, node)]
        merged = on_joined(self.inner[node_key(node)], read)
        if node.column == 0:
            return merged
        below, *_ = self.grid.parents(node)
        merged = merged + functional.interpolate(values[below], size=merged.shape[2:], mode="nearest")
        return cast(Tensor, self.between[node_key(node)](merged)) if is_between(self.grid, node) else merged


def places(grid: Topology) -> tuple[Node, ...]:
    """The nodes of a pyramid in an order in which they can be computed: all that x^{FINEST, d-FINEST} goes back to.

    Of the encoder's those that are read from above; what is read of it along its level is no node of the pyramid.
    """
    nodes = [node for node in grid.nodes if node.level >= FINEST]
    below = {grid.parents(node)[0] for node in nodes}
    return (*sorted(node for node in below if node.column == 0), *nodes)


def lateral(grid: Topology, node: Node) -> tuple[Node, ...]:
    """What a node reads of its own level, left to right; in column 0 the encoder's feature of that level."""
    return grid.parents(node)[1:] if node.column else (node,)


def is_between(grid: Topology, node: Node) -> bool:
    """Whether a node lies between the encoder and the pyramid."""
    return node.column > 0 and sum(node) < grid.depth


def pyramid_width(channels: tuple[int, ...]) -> int:
    """Channels of the pyramid: a quarter of the encoder's coarsest level, at most what torchvision takes.

    On a ResNet of 50 layers or more that is 256, as in torchvision; small encoders get heads that are as small.
    """
    return min(WIDEST, max(NARROWEST, channels[-1] // 4))


def _initialise(module: nn.Module) -> None:
    """As torchvision begins its pyramid."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_uniform_(module.weight, a=1)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

"""A network as frozen data: all that is needed to build it, and nothing of its weights."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from nestbench.encoders.blocks import BLOCKS, CONVOLUTION, Dims, Name
from nestbench.errors import RequestError, unknown
from nestbench.topology import MAX_DEPTH, Topology

FINEST = 1
"""Finest level of a detector's pyramid, of stride 2: a nucleus of 5 pixels has two or three cells a side there, and the
level of stride 1 would take three times the work of all others for no object that is larger."""


@dataclass(frozen=True)
class ModelSpec:
    """Which grid, on which encoder, made of which block, from so many channels to so many classes."""

    topology: Topology
    encoder: str = "plain"
    block: Name = "modern"
    in_channels: int = 1
    classes: int = 1
    """Channels of the logits: 1 for two classes (sigmoid), else one a class (softmax)."""
    width: int | tuple[int, ...] | None = None
    """Channels of decoder nodes at level 0, doubled at each level, or at each level from the finest (at least as many
    as the network is deep); None takes the encoder's at level 0."""
    dims: Dims = 2
    """Spatial dimensions: 2 for images (N, C, H, W), 3 for volumes (N, C, D, H, W)."""

    def __post_init__(self) -> None:
        if self.block not in BLOCKS:
            raise unknown("block", self.block, BLOCKS)
        _check(self.dims, in_channels=self.in_channels, classes=self.classes)
        for width in self.width if isinstance(self.width, tuple) else () if self.width is None else (self.width,):
            _check(self.dims, width=width)
        if isinstance(self.width, tuple) and len(self.width) < self.depth:
            raise RequestError(f"width {self.width} has {len(self.width)} levels, but the network {self.depth}")

    @property
    def depth(self) -> int:
        """Depth of the deepest head."""
        return self.topology.depth

    @property
    def heads(self) -> tuple[int, ...]:
        """Depths at which the network answers."""
        return self.topology.heads

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what the network can answer with."""
        return self.topology.outputs

    @property
    def primary(self) -> str:
        """The output that the network is judged by."""
        return self.topology.primary

    def prune(self, depth: int) -> "ModelSpec":
        """The network of one head alone; raises RequestError where there is no head at ``depth``."""
        return replace(self, topology=self.topology.prune(depth))

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``read_spec`` reads."""
        return asdict(self)


@dataclass(frozen=True)
class OutsideSpec:
    """Which network of another library, on which encoder; it has one head, at the encoder's depth, and no grid."""

    name: str
    """Plugin and variant, ``smp:Unet``."""
    encoder: str
    depth: int
    in_channels: int = 1
    classes: int = 1
    dims: Dims = 2

    def __post_init__(self) -> None:
        _check(self.dims, in_channels=self.in_channels, classes=self.classes)
        if type(self.depth) is not int or not 1 <= self.depth <= MAX_DEPTH:
            raise RequestError(f"depth {self.depth} is not a whole number from 1 to {MAX_DEPTH}")

    @property
    def heads(self) -> tuple[int, ...]:
        """Depths at which the network answers: its own."""
        return (self.depth,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what the network can answer with."""
        return (self.primary,)

    @property
    def primary(self) -> str:
        """The output that the network is judged by: its only one."""
        return f"L{self.depth}"

    def prune(self, depth: int) -> "OutsideSpec":
        """The network itself; raises RequestError for any depth but its own."""
        if depth != self.depth:
            raise RequestError(f"cannot prune '{self.name}' to depth {depth}: it has one head, at depth {self.depth}")
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``read_spec`` reads."""
        return asdict(self)


@dataclass(frozen=True)
class DetectorSpec:
    """A Mask R-CNN by the grid of its feature pyramid, whose finest level is FINEST; it finds objects of one class."""

    topology: Topology
    encoder: str = "plain"
    block: Name = "modern"
    in_channels: int = 1
    classes: int = 1
    """Kinds of objects: always 1, what is no background."""
    dims: Dims = 2
    """Always 2: pictures."""

    def __post_init__(self) -> None:
        if self.block not in BLOCKS:
            raise unknown("block", self.block, BLOCKS)
        _check(self.dims, in_channels=self.in_channels)
        if (self.dims, self.classes) != (2, 1):
            raise RequestError(f"Mask R-CNN finds objects of one class in 2D, not of {self.classes} in {self.dims}D")
        # A pyramid of two levels has no node between: with nested skips it would be the plain one under another name.
        kind, least = (" with nested skips", FINEST + 2) if self.topology.skips != "first" else ("", FINEST + 1)
        if self.depth < least:
            raise RequestError(
                f"depth {self.depth} is too small for Mask R-CNN{kind}: its pyramid takes {least} or more"
            )

    @property
    def depth(self) -> int:
        """Level of the coarsest feature of the encoder."""
        return self.topology.depth

    @property
    def heads(self) -> tuple[int, ...]:
        """Depths at which the network answers: its own."""
        return (self.depth,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what the network can answer with."""
        return (self.primary,)

    @property
    def primary(self) -> str:
        """The output that the network is judged by: its masks."""
        return "masks"

    def prune(self, depth: int) -> "DetectorSpec":
        """The network itself; raises RequestError for any depth but its own."""
        if depth != self.depth:
            raise RequestError(f"cannot prune Mask R-CNN to depth {depth}: it reads every level to depth {self.depth}")
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``read_spec`` reads."""
        return asdict(self) | {"finds": "objects"}


Spec = ModelSpec | OutsideSpec | DetectorSpec


def _check(dims: int, **counts: int) -> None:
    if type(dims) is not int or dims not in CONVOLUTION:
        raise RequestError(f"dims is {dims}, but must be 2 (images) or 3 (volumes)")
    for what, value in counts.items():
        if type(value) is not int or value < 1:
            raise RequestError(f"{what} is {value}, but must be a whole number of at least 1")


def read_spec(content: dict[str, Any]) -> Spec:
    """Rebuild a spec from ``to_json``'s data."""
    if "topology" not in content:
        return OutsideSpec(**content)
    grid = content["topology"]
    width = content.get("width")
    plain = {"topology": Topology(grid["skips"], tuple(grid["heads"]))}
    if content.get("finds") == "objects":
        return DetectorSpec(**{key: value for key, value in content.items() if key != "finds"} | plain)
    return ModelSpec(**content | plain | {"width": tuple(width) if isinstance(width, list) else width})

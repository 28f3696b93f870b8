"""A network as frozen data: all that is needed to build it, and nothing of its weights."""

from dataclasses import asdict, dataclass
from typing import Any

from nestbench.encoders.blocks import BLOCKS, CONVOLUTION, Dims, Name
from nestbench.errors import RequestError, unknown
from nestbench.topology import Topology


@dataclass(frozen=True)
class ModelSpec:
    """Which grid, on which encoder, made of which block, from so many channels to so many classes."""

    topology: Topology
    encoder: str = "plain"
    block: Name = "modern"
    in_channels: int = 1
    classes: int = 1
    """Channels of the logits: 1 for two classes (sigmoid), else one a class (softmax)."""
    width: int | None = None
    """Channels of decoder nodes at level 0, doubled at each level; None takes the encoder's at level 0."""
    dims: Dims = 2
    """Spatial dimensions: 2 for images (N, C, H, W), 3 for volumes (N, C, D, H, W)."""

    def __post_init__(self) -> None:
        if self.block not in BLOCKS:
            raise unknown("block", self.block, BLOCKS)
        if self.dims not in CONVOLUTION:
            raise RequestError(f"dims is {self.dims}, but must be 2 (images) or 3 (volumes)")
        for what, value in (("in_channels", self.in_channels), ("classes", self.classes), ("width", self.width)):
            if value is not None and value < 1:
                raise RequestError(f"{what} is {value}, but must be at least 1")

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``from_json`` reads."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> "ModelSpec":
        """Rebuild a spec from ``to_json``'s data."""
        grid = content["topology"]
        return ModelSpec(**content | {"topology": Topology(grid["skips"], tuple(grid["heads"]))})

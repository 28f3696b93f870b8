"""What a network costs before it is trained: parameters and floating-point operations."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from nestbench.model.network import Network
from nestbench.model.spec import ModelSpec


@dataclass(frozen=True)
class Size:
    """Parameters, and operations (two a multiply-add) of one image's forward pass."""

    parameters: int
    flops: int


def network_size(spec: ModelSpec, image_size: int) -> Size:
    """Count on the meta device, without memory or weights, for one image of ``image_size`` pixels a side."""
    with torch.device("meta"), torch.no_grad():
        model = Network(spec).eval()
        image = torch.empty(1, spec.in_channels, image_size, image_size)
        with FlopCounterMode(display=False) as counter:
            model(image)
    return Size(sum(p.numel() for p in model.parameters()), counter.get_total_flops())

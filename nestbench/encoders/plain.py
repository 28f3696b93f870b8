"""The papers' own encoder: one block a level, max pooling between levels."""

from torch import Tensor, nn

from nestbench.encoders.blocks import BLOCKS, Dims, Name, initialise
from nestbench.errors import RequestError

PAPER_WIDTH = 32


class Plain(nn.Module):
    """Nodes x^{0,0} .. x^{depth,0} of width W, 2W, 4W, ...; ``plain:16`` sets W, which is 32 in the papers."""

    of_blocks = True
    """Made of the decoder's own block: it is told which, and a wide U-Net widens it too."""
    dims = (2, 3)

    def __init__(
        self,
        variant: str,
        depth: int,
        in_channels: int,
        pretrained: bool | str = False,
        block: Name = "modern",
        dims: Dims = 2,
    ) -> None:
        super().__init__()
        if pretrained:
            raise RequestError(
                "encoder 'plain' has no pretrained weights; set pretrained: false or take a timm encoder"
            )
        if variant and not (variant.isdecimal() and int(variant) > 0):
            raise RequestError(f"width '{variant}' of encoder 'plain:{variant}' is not a whole number above 0")
        width = int(variant or PAPER_WIDTH)
        self.channels = tuple(width * 2**level for level in range(depth + 1))
        inputs = (in_channels, *self.channels)
        # Each level is drawn before the next is made, so that a shallower encoder starts as a part of a deeper one.
        self.levels = nn.ModuleList(
            BLOCKS[block].convolve(i, o, dims).apply(initialise) for i, o in zip(inputs, self.channels, strict=False)
        )
        self.pool = nn.MaxPool3d(2) if dims == 3 else nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of (N, C, H, W), or (N, C, D, H, W), at strides 1, 2, 4, ..., finest first."""
        features = [self.levels[0](image)]
        for level in self.levels[1:]:
            features.append(level(self.pool(features[-1])))
        return features

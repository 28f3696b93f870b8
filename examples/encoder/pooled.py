"""An encoder for nestbench: one residual block a level, with average pooling between levels."""

from torch import Tensor, nn

from nestbench.errors import RequestError

WIDTH = 16


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input, projected where its channels differ, is added."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.short = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.activation = nn.ReLU(inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        """Bring (N, inputs, H, W) to (N, outputs, H, W)."""
        added: Tensor = self.activation(self.body(image) + self.short(image))
        return added


class Pooled(nn.Module):
    """Features of W, 2W, 4W, ... channels at strides 1, 2, 4, ...; ``pooled:8`` sets W, which is 16 else."""

    def __init__(self, variant: str, depth: int, in_channels: int, pretrained: bool | str = False) -> None:
        super().__init__()
        if variant and not (variant.isdecimal() and int(variant) > 0):
            raise RequestError(f"width '{variant}' of encoder 'pooled:{variant}' is not a whole number above 0")
        if pretrained:
            raise RequestError("encoder 'pooled' has no pretrained weights")
        width = int(variant or WIDTH)
        self.channels = tuple(width * 2**level for level in range(depth + 1))
        # Finest first: a shallower encoder then draws the same numbers for the levels that it has.
        inputs = (in_channels, *self.channels[:-1])
        self.levels = nn.ModuleList(Residual(i, o) for i, o in zip(inputs, self.channels, strict=True))
        self.pool = nn.AvgPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of (N, C, H, W), finest first."""
        features = [self.levels[0](image)]
        for level in list(self.levels)[1:]:
            features.append(level(self.pool(features[-1])))
        return features

"""Networks of MONAI that bring an encoder of their own: ``monai:BasicUNet`` and ``monai:BasicUNetPlusPlus``."""

from torch import Tensor, nn

from nestbench.errors import RequestError, unknown

try:
    from monai.networks.nets.basic_unet import BasicUNet
    from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus
except ImportError as error:
    raise ImportError(f"{error}; MONAI is an extra: pip install 'nestbench[monai]'") from error

ARCHITECTURES: dict[str, type[nn.Module]] = {"BasicUNet": BasicUNet, "BasicUNetPlusPlus": BasicUNetPlusPlus}
DEPTH = 4


class _Logits(nn.Module):
    """The one tensor that a network of MONAI answers with, be it alone or in a list."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Tensor) -> Tensor:
        answer = self.inner(image)
        logits: Tensor = answer if isinstance(answer, Tensor) else answer[-1]
        return logits


def network(
    variant: str, _encoder: str, depth: int, in_channels: int, classes: int, dims: int, pretrained: bool | str
) -> nn.Module:
    """Build one of MONAI's networks, 2D or 3D, with its own widths and instance norm.

    It brings an encoder of its own, whatever a study says, so that it can stand in a study beside any other.
    Raises RequestError for an unknown name, another depth than 4, and pretrained weights.
    """
    if variant not in ARCHITECTURES:
        raise unknown("monai architecture", variant, ARCHITECTURES)
    if depth != DEPTH:
        raise RequestError(f"'monai:{variant}' has depth {DEPTH}, not {depth}: write 'monai:{variant}:{DEPTH}'")
    if pretrained:
        raise RequestError(f"'monai:{variant}' has no pretrained weights")
    return _Logits(ARCHITECTURES[variant](spatial_dims=dims, in_channels=in_channels, out_channels=classes))

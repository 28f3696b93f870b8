"""A whole network of another library, made to answer as the family does."""

from torch import Tensor, nn
from torch.nn import functional

from nestbench import plugins
from nestbench.model.spec import OutsideSpec


class Outside(nn.Module):
    """The network that a plugin of the group nestbench.models builds; it has one head and no grid."""

    def __init__(self, spec: OutsideSpec, pretrained: bool | str = False) -> None:
        super().__init__()
        self.spec = spec
        plugin, variant = plugins.find("model", spec.name)
        self.inner: nn.Module = plugin(
            variant, spec.encoder, spec.depth, spec.in_channels, spec.classes, spec.dims, pretrained
        )
        self.multiple = int(getattr(self.inner, "multiple", 2**spec.depth))

    def forward(self, image: Tensor) -> dict[int, Tensor]:
        """Logits (N, classes, H, W) by depth, of which there is one, for an image (N, C, H, W) of any size.

        The image is padded at its far ends to what the network can halve, by repeating its edge; the logits are cut.
        """
        size, step = image.shape[2:], self.multiple
        padding = [side for extent in reversed(size) for side in (0, _rest(extent, step))]
        logits: Tensor = self.inner(functional.pad(image, padding, mode="replicate"))
        for axis, extent in enumerate(size, start=2):
            logits = logits.narrow(axis, 0, extent)
        return {self.spec.depth: logits}


def _rest(extent: int, step: int) -> int:
    """What is missing to the next multiple; of positive numbers alone, which an exported network can work out."""
    return (extent + step - 1) // step * step - extent

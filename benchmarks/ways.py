"""Other ways to compute a network of modern blocks: what it answers stays the same but for rounding, as is checked."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from contestants import DEPTH
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from nestbench.errors import RequestError, RunError
from nestbench.model import Network, network
from nestbench.model.join import on_joined
from nestbench.topology import Node

TOLERANCE = 1e-3
"""Of the largest float32 logit, or gradient: sums in another order change them."""


def change(model: Network, way: Callable[[Network], None]) -> Network:
    """Change a network on the CPU, in place.

    Raises RunError where it does not answer as it did or, in training, does not go back as it did.
    """
    image = torch.randn(2, model.spec.in_channels, 64, 64)
    expected = _answers(model, image)
    way(model)
    for before, after in zip(expected, _answers(model, image), strict=True):
        if (after - before).abs().max() > TOLERANCE * before.abs().max():
            raise RunError(f"after '{way.__name__}' the network answers otherwise")
    return model


def _answers(model: Network, image: Tensor) -> list[Tensor]:
    """Logits and, of a network in training, the gradient that reaches the encoder's first weights."""
    with torch.set_grad_enabled(model.training):
        logits = list(model(image).values())
    if not model.training:
        return logits
    return [*logits, *torch.autograd.grad(torch.stack(logits).square().mean(), next(model.encoder.parameters()))]


def check_size(size: int) -> None:
    """Raise RequestError for a size at which some of these ways do not exist."""
    if size % 2**DEPTH:
        raise RequestError(
            f"--size {size}: some ways only exist for sides that are halved evenly, multiples of {2**DEPTH}"
        )


def split_weights(model: Network) -> None:
    """Convolve the parts that a node joins one by one, and add up: conv(cat(a, b)) = conv(a) + conv(b)."""
    _split(model, folded=False)


def fold_upsampling(model: Network) -> None:
    """Split weights, and the part from below is convolved before it is made larger.

    It is made larger by nearest neighbours, to twice its sides. A 3x3 convolution of that reads each coarse pixel
    through 4x4 weights with steps of 2, which is a transposed convolution with sums of the 3x3 weights: the same
    values, at the border too, for 4 multiply-adds instead of 9. Two things do not commute exactly and are not tried:
    bilinear resizing and a convolution, and a 3x3 convolution at the coarse resolution before resizing. The projection
    (1x1) before it commutes with nearest neighbours and stands at the coarse resolution already.
    """
    _split(model, folded=True)
    for key, up in model.up.items():
        model.up[key] = _Coarse(cast(nn.Module, up.project))


def checkpoint_nodes(model: Network) -> None:
    """Keep of each decoder node its inputs alone, and compute it again on the way back."""
    for key, node in model.nodes.items():
        model.nodes[key] = _Checkpointed(node)


def channels_of(model: Network) -> dict[Node, int]:
    """Channels of every node of the encoder and the decoder."""
    return network._channels(model.spec, cast(tuple[int, ...], model.encoder.channels))


class _Split(nn.Module):
    """A block whose first convolution has weights of its own for each of the parts that it is applied to."""

    def __init__(self, block: nn.Sequential, channels: Sequence[int], folded: bool) -> None:
        super().__init__()
        whole = cast(nn.Conv2d, block[0]).weight.detach()
        self.weights = nn.ParameterList(torch.split(whole, list(channels), dim=1))
        self.rest, self.folded = block[1:], folded
        self.train(block.training)
        if folded and not self.training:  # once and for all
            self.weights[0] = nn.Parameter(doubling(self.weights[0].detach()))

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Convolve the parts (N, C, H, W), add the results up, and go on as the block does."""
        value = functional.conv2d(parts[1], self.weights[1], padding=1)
        for part, weight in zip(parts[2:], self.weights[2:], strict=True):
            value += functional.conv2d(part, weight, padding=1)
        value += self._raised(parts[0])
        answer: Tensor = self.rest(value)
        return answer

    def _raised(self, below: Tensor) -> Tensor:
        if not self.folded:
            return functional.conv2d(below, self.weights[0], padding=1)
        weight = doubling(self.weights[0]) if self.training else self.weights[0]
        return functional.conv_transpose2d(below, weight, stride=2, padding=1)


def doubling(weight: Tensor) -> Tensor:
    """Weights (I, O, 4, 4) of the transposed convolution that doubles by nearest neighbours, then convolves.

    Those of the convolution are (O, I, 3, 3).
    """
    flipped = weight.flip(2, 3).transpose(0, 1)
    return sum((functional.pad(flipped, (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)), torch.zeros(()))


class _Coarse(nn.Module):
    """Brings up what is below a node but for its size."""

    def __init__(self, project: nn.Module) -> None:
        super().__init__()
        self.project = project

    def forward(self, coarse: Tensor, _: torch.Size) -> Tensor:
        value: Tensor = self.project(coarse)
        return value


class _Checkpointed(nn.Module):
    """A node that is computed again on the way back."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        value: Tensor = checkpoint(self.inner, inputs, use_reentrant=False)
        return value


def _split(model: Network, folded: bool) -> None:
    """Give every node weights of its own for each of its parents, in place, in this process alone."""
    channels = channels_of(model)
    for node in model.spec.topology.nodes:
        _, *left = model.spec.topology.parents(node)
        block, parts = (
            cast(nn.Sequential, model.nodes[network.node_key(node)]),
            [channels[one] for one in (node, *left)],
        )
        model.nodes[network.node_key(node)] = _Split(block, parts, folded)
    network.on_joined = _on_parts  # type: ignore[attr-defined]


def _on_parts(block: Callable[..., Tensor], parts: Sequence[Tensor]) -> Tensor:
    return block(parts) if isinstance(block, _Split) else on_joined(block, parts)

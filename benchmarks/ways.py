"""Other ways to compute a network of modern blocks: what it answers stays the same but for rounding, as is checked."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from contestants import DEPTH
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from nestbench.errors import RequestError, RunError
from nestbench.model import Network, fold, network
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
    channels = channels_of(model)
    for node in model.spec.topology.nodes:
        _, *left = model.spec.topology.parents(node)
        key, parts = network.node_key(node), [channels[one] for one in (node, *left)]
        model.nodes[key] = _Split(cast(nn.Sequential, model.nodes[key]), parts)
    network.on_raised = _on_parts  # type: ignore[attr-defined]


def join_all(_: Network) -> None:
    """Make what comes from below larger, join it with the skips, and convolve all at once, in this process alone."""
    fold._folds = lambda *_: False


def checkpoint_nodes(model: Network) -> None:
    """Keep of each decoder node its inputs alone, and compute it again on the way back."""
    for key, node in model.nodes.items():
        model.nodes[key] = _Checkpointed(node)


def channels_of(model: Network) -> dict[Node, int]:
    """Channels of every node of the encoder and the decoder."""
    return network._channels(model.spec, cast(tuple[int, ...], model.encoder.channels))


class _Split(nn.Module):
    """A block whose first convolution has weights of its own for each of the parts that it is applied to."""

    def __init__(self, block: nn.Sequential, channels: Sequence[int]) -> None:
        super().__init__()
        whole = cast(nn.Conv2d, block[0]).weight.detach()
        self.weights = nn.ParameterList(torch.split(whole, list(channels), dim=1))
        self.rest = block[1:]
        self.train(block.training)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Convolve the parts (N, C, H, W), add the results up, and go on as the block does."""
        value = functional.conv2d(parts[0], self.weights[0], padding=1)
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            value += functional.conv2d(part, weight, padding=1)
        answer: Tensor = self.rest(value)
        return answer


class _Checkpointed(nn.Module):
    """A node that is computed again on the way back."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        value: Tensor = checkpoint(self.inner, inputs, use_reentrant=False)
        return value


def _on_parts(block: nn.Module, up: nn.Module, below: Tensor, skips: Sequence[Tensor]) -> Tensor:
    if not isinstance(block, _Split):
        return fold.on_raised(block, up, below, skips)
    return cast(Tensor, block([up(below, skips[0].shape[2:]), *skips]))

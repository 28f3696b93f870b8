"""What an encoder promises: each promise is a check, and its first sentence says what the contract wants."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn
from torch.export import Dim, export

from nestbench import plugins
from nestbench.encoders.unused import follow, idle_names, own_names, used_names
from nestbench.errors import RequestError
from nestbench.model import Network, build, prune


@dataclass(frozen=True)
class Subject:
    """The encoder that is checked, by its name in a study file, with the variant behind the colon."""

    name: str
    depth: int = 4
    in_channels: int = 3
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (65, 97))

    def encoder(self, depth: int | None = None) -> nn.Module:
        """Build it from the one state of the generator that every check starts from."""
        plugin, variant = plugins.find("encoder", self.name)
        extra = {"dims": 2} if len(getattr(plugin, "dims", (2,))) > 1 else {}
        torch.manual_seed(0)
        encoder: nn.Module = plugin(variant, depth or self.depth, self.in_channels, False, **extra)
        return encoder

    def network(self) -> tuple[Network, nn.Module]:
        """Build UNet++ with all its heads on it; the encoder is given beside it."""
        torch.manual_seed(0)
        model = cast(Network, build("unet++ds", self.name, self.depth, in_channels=self.in_channels))
        return model, model.encoder

    def image(self, height: int = 64, width: int = 64) -> Tensor:
        """Two images of noise, (2, C, H, W)."""
        generator = torch.Generator().manual_seed(0)
        return torch.randn(2, self.in_channels, height, width, generator=generator)


def check_encoder(
    name: str, depth: int = 4, in_channels: int = 3, sizes: tuple[tuple[int, int], ...] = ((64, 64), (65, 97))
) -> None:
    """Assert that an encoder keeps its promises, each of ``ENCODER_CHECKS``.

    ``name`` is as in a study file, with the variant behind the colon. Raises AssertionError with what the contract
    wants, and RequestError for a name that is unknown or a depth that the encoder refuses.
    """
    for _, failure in encoder_failures(Subject(name, depth, in_channels, sizes)):
        assert not failure, failure


def encoder_failures(subject: Subject) -> Iterator[tuple[str, str]]:
    """Run the checks one by one: each one's name, with what the contract wants where it fails and '' where it holds.

    Raises RequestError for a name that is unknown or a depth that the encoder refuses.
    """
    for check in ENCODER_CHECKS:
        yield check.__name__.replace("_", " "), _failure(check, subject)


def _failure(check: Callable[[Subject], None], subject: Subject) -> str:
    wants = " ".join((check.__doc__ or "").split())
    try:
        with torch.random.fork_rng(devices=[]):
            check(subject)
    except RequestError:
        raise
    except AssertionError as error:
        return f"{wants} {str(error).splitlines()[0].rstrip('.')}." if str(error) else wants
    except Exception as error:  # a plugin may raise anything
        said = str(error).strip().splitlines()
        return f"{wants} But it raised {type(error).__name__}{f': {said[0]}' if said else ''}"
    return ""


def strides(subject: Subject) -> None:
    """There is a feature (N, C, H', W') for each level from 0 to depth, finest first, and level i has stride 2^i."""
    for height, width in subject.sizes:
        _assert_strides(subject.encoder()(subject.image(height, width)), subject.depth, height, width)


def smallest_image(subject: Subject) -> None:
    """An image of 2^depth pixels a side is large enough, in evaluation mode."""
    side = 2**subject.depth
    with torch.no_grad():
        _assert_strides(subject.encoder().eval()(subject.image(side, side)), subject.depth, side, side)


def channels(subject: Subject) -> None:
    """The attribute channels announces how many channels each feature has, finest first."""
    encoder = subject.encoder()
    announced = list(cast(tuple[int, ...], encoder.channels))
    found = [feature.shape[1] for feature in encoder(subject.image())]
    assert found == announced, f"It announces {announced} and gives {found}"


def gradients(subject: Subject) -> None:
    """Every parameter that can be trained gets a gradient from the features."""
    encoder = subject.encoder()
    sum(feature.float().mean() for feature in encoder(subject.image())).backward()
    without = [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    assert not without, f"{len(without)} get none, as '{without[0]}'"


def dtype(subject: Subject) -> None:
    """Features of a float32 image are float32, and finite; under bfloat16 autocast on the CPU training works too."""
    model, encoder = subject.network()
    for feature in encoder(subject.image()):
        assert feature.dtype == torch.float32, f"A feature is {feature.dtype}"
        assert feature.isfinite().all(), "A feature is not finite"
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(subject.image())
    sum(head.float().square().mean() for head in logits.values()).backward()
    assert all(head.isfinite().all() for head in logits.values()), "Logits under autocast are not finite"


def determinism(subject: Subject) -> None:
    """One state of torch's generator gives one set of weights, and in evaluation mode one image the same features."""
    first, again = subject.encoder().eval(), subject.encoder().eval()
    other = again.state_dict()
    differing = [key for key, value in first.state_dict().items() if not torch.equal(value, other[key])]
    assert not differing, f"{len(differing)} tensors differ, as '{differing[0]}'"
    with torch.no_grad():
        pairs = zip(first(subject.image()), again(subject.image()), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs), "Features differ"


def shallower_is_a_part(subject: Subject) -> None:
    """From one state of torch's generator, a shallower encoder has a part of the deeper one's weights, bit for bit."""
    whole = subject.encoder().state_dict()
    for depth in range(1, subject.depth):
        for key, value in subject.encoder(depth).state_dict().items():
            assert key in whole, f"'{key}' of depth {depth} is not in depth {subject.depth}"
            assert torch.equal(whole[key], value), f"'{key}' differs between depths {depth} and {subject.depth}"


def pruning(subject: Subject) -> None:
    """Pruning leaves a head's output as it is, bit for bit, and the encoder drops what the head does not need."""
    model, encoder = subject.network()
    image = subject.image(*subject.sizes[-1])
    follow(encoder)
    own, before = own_names(encoder, model.eval().encoder(image)), 0
    with torch.no_grad():
        whole = model(image)
    for depth in range(1, subject.depth + 1):  # a level that only pools adds no parameters of its own
        follow(small := cast(Network, prune(model, depth)))
        # Before anything is computed without a graph: some models keep what they once computed for evaluation.
        idle = idle_names(small.encoder, used_names(small.encoder, small.encoder(image)))
        assert not idle, f"At depth {depth} {len(idle)} parameters are kept that no feature needs, as '{min(idle)}'"
        with torch.no_grad():
            assert torch.equal(small(image)[depth], whole[depth]), f"The output at depth {depth} changes"
        before, least = sum(p.numel() for p in small.encoder.parameters()), before
        assert before > least or not own[depth], f"At depth {depth} it has no more parameters than at depth {depth - 1}"


def freezing(subject: Subject) -> None:
    """With requires_grad False a step of training leaves the encoder's parameters as they are and changes the rest."""
    model, encoder = subject.network()
    encoder.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    sum(head.square().mean() for head in model(subject.image()).values()).backward()
    assert all(p.grad is None for p in encoder.parameters()), "The encoder gets gradients"
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert not any(name.startswith("encoder.") for name in changed), "The encoder changes"
    assert any(name.startswith("nodes.") for name in changed), "The decoder does not change"


def exporting(subject: Subject) -> None:
    """A network on it goes through torch.export with a batch of any size and gives the same logits."""
    model = subject.network()[0].eval()
    image = subject.image()
    with catch_warnings(), torch.no_grad():
        simplefilter("ignore")  # torch.export warns of its own future
        program = export(model, (image,), dynamic_shapes=({0: Dim("batch", max=64)},), strict=False).module()
        more = torch.cat([image, image[:1] + 1])
        for depth, logits in model(more).items():
            exported = program(more)[depth]
            assert torch.allclose(exported, logits, rtol=1e-3, atol=1e-4), f"Logits at depth {depth} differ"


ENCODER_CHECKS: tuple[Callable[[Subject], None], ...] = (
    strides, smallest_image, channels, gradients, dtype, determinism, shallower_is_a_part, pruning, freezing, exporting,
)  # fmt: skip


def _assert_strides(features: list[Tensor], depth: int, height: int, width: int) -> None:
    assert len(features) == depth + 1, f"There are {len(features)} features for depth {depth}"
    for level, feature in enumerate(features):
        assert feature.ndim == 4, f"Level {level} has shape {tuple(feature.shape)}"
        for actual, side in zip(feature.shape[2:], (height, width), strict=True):
            least, most = side // 2**level, -(-side // 2**level)
            assert least <= actual <= most, f"Of {side} pixels level {level} has {actual}, not {least} to {most}"

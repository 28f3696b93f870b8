"""The laws of the family, each a test, for encoders of every shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nestbench.model import build, prune
from nestbench.model.build import count_parameters, specify
from nestbench.topology import MAX_DEPTH, MEMBERS

ENCODERS = ["plain:4", "timm:resnet10t", "timm:vgg11", "timm:convnext_atto"]
DEEP = [name for name, member in MEMBERS.items() if member.deep_supervision]


def seeded(name, encoder="plain:4", depth=4, **options):
    torch.manual_seed(0)
    return build(name, encoder, depth, **options).eval()


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", DEEP)
@torch.no_grad()
def test_a_pruned_network_equals_its_head_bit_for_bit(name, encoder):
    model = seeded(name, encoder)
    image = torch.randn(2, 1, 64, 48)
    whole, weights = model(image), model.state_dict()
    for depth in model.spec.topology.heads:
        small = prune(model, depth)
        assert torch.equal(small(image)[depth], whole[depth])
        assert set(small.state_dict()) < set(weights)
        assert all(torch.equal(value, weights[key]) for key, value in small.state_dict().items())


PAPER_COUNTS = {
    "unet:1": 100_961,
    "unet:2": 465_953,
    "unet:3": 1_925_025,
    "unet": 7_759_521,
    "unet++:1": 100_961,
    "unet++:2": 511_105,
    "unet++:3": 2_204_961,
    "unet++": 9_041_601,
    "unet++ds": 9_041_700,
    "unet+": 8_728_257,
    "unet+ds": 8_728_356,
    "unet-e": 8_728_356,
    "wide-unet": 9_282_246,
}


@pytest.mark.parametrize(("name", "parameters"), PAPER_COUNTS.items())
def test_parameter_counts_are_the_papers(name, parameters):
    assert count_parameters(specify(name, "plain", block="paper")) == parameters


PAPER_COUNTS_3D = {
    "unet": 22_575_329,
    "wide-unet": 27_006_176,
    "unet+": 25_258_241,
    "unet++": 26_198_273,
}


@pytest.mark.parametrize(("name", "parameters"), PAPER_COUNTS_3D.items())
def test_parameter_counts_in_3d_are_the_papers(name, parameters):
    assert count_parameters(specify(name, "plain", block="paper", dims=3)) == parameters


@pytest.mark.parametrize("block", ["modern", "paper"])
@pytest.mark.parametrize("name", DEEP)
@torch.no_grad()
def test_a_pruned_network_equals_its_head_bit_for_bit_in_3d(name, block):
    model = seeded(name, "plain:2", depth=3, block=block, dims=3)
    volume = torch.randn(1, 1, 17, 8, 12)
    whole = model(volume)
    for depth in model.spec.topology.heads:
        assert torch.equal(prune(model, depth)(volume)[depth], whole[depth])


@torch.no_grad()
def test_a_flat_network_is_a_3d_network_whose_kernels_have_one_slice():
    flat, deep = seeded("unet++ds", "plain:3", depth=3), seeded("unet++ds", "plain:3", depth=3, dims=3)
    weights = flat.state_dict()
    # The middle slice of a kernel meets a volume of one slice alone: padding fills the others with zeros.
    for key, value in deep.state_dict().items():
        if value.dim() == 5:
            value.zero_()[:, :, value.shape[2] // 2].copy_(weights[key])
        else:
            value.copy_(weights[key])
    deep.encoder.pool = torch.nn.MaxPool3d((1, 2, 2))
    image = torch.randn(2, 1, 24, 17)
    expected, found = flat(image), deep(image[:, :, None])
    for depth, logits in expected.items():
        torch.testing.assert_close(found[depth][:, :, 0], logits)


@pytest.mark.parametrize("name", ["unet+", "unet++"])
def test_from_the_deepest_head_alone_gradients_reach_every_node(name):
    assert not nodes_without_gradient(f"{name}ds")


def test_from_the_deepest_head_alone_gradients_miss_the_shallower_decoders_of_the_ensemble():
    model = seeded("unet-e")
    off_diagonal = {f"x{i}_{j}" for i, j in model.spec.topology.nodes if i + j < 4}
    assert nodes_without_gradient("unet-e") == off_diagonal


def nodes_without_gradient(name):
    model = seeded(name).train()
    model(torch.randn(2, 1, 32, 32))[4].sum().backward()
    return {key for key, node in model.nodes.items() if all(p.grad is None for p in node.parameters())}


@settings(max_examples=25)
@given(
    name=st.sampled_from(sorted(MEMBERS)),
    depth=st.integers(1, MAX_DEPTH),
    block=st.sampled_from(["modern", "paper"]),
    more=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    channels=st.integers(1, 16),
    classes=st.integers(1, 100),
)
@torch.no_grad()
def test_any_image_size_from_two_to_the_depth_works(name, depth, block, more, channels, classes):
    size = tuple(2**depth + m for m in more)
    check_size(seeded(name, "plain:2", depth, block=block, in_channels=channels, classes=classes), size)


@settings(max_examples=25)
@given(
    name=st.sampled_from(sorted(MEMBERS)),
    depth=st.integers(1, 3),
    block=st.sampled_from(["modern", "paper"]),
    more=st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 7)),
    channels=st.integers(1, 16),
    classes=st.integers(1, 100),
)
@torch.no_grad()
def test_any_volume_size_from_two_to_the_depth_works(name, depth, block, more, channels, classes):
    size = tuple(2**depth + m for m in more)
    check_size(seeded(name, "plain:1", depth, block=block, in_channels=channels, classes=classes, dims=3), size)


def check_size(model, size):
    spec = model.spec
    logits = model(torch.randn(1, spec.in_channels, *size))
    assert tuple(logits) == spec.topology.heads
    assert all(values.shape == (1, spec.classes, *size) for values in logits.values())
    assert all(values.isfinite().all() for values in logits.values())


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_member_starts_from_the_same_encoder(encoder):
    reference = seeded("unet", encoder).encoder.state_dict()
    for name in MEMBERS:
        if name == "wide-unet" and encoder.startswith("plain"):
            continue  # its encoder is wider: that is what it is
        weights = seeded(name, encoder).encoder.state_dict()
        assert all(torch.equal(weights[key], value) for key, value in reference.items()), name


@pytest.mark.parametrize("encoder", ["plain:4", "plain:32", "timm:resnet10t"])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_wide_unet_has_just_the_parameters_of_unet_plus_plus(encoder, depth):
    target = count_parameters(specify("unet++", encoder, depth))
    wide = specify("wide-unet", encoder, depth)
    assert count_parameters(wide) >= target
    narrower = (
        specify("unet", f"plain:{int(wide.encoder.partition(':')[2]) - 1}", depth)
        if encoder.startswith("plain")
        else type(wide)(wide.topology, wide.encoder, width=wide.width - 1)
    )
    assert count_parameters(narrower) < target

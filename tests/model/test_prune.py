import itertools

import pytest
import torch

from nestbench.errors import RequestError
from nestbench.model import build, prune
from nestbench.model.build import specify
from nestbench.model.size import network_size


def test_pruning_keeps_mode_dtype_format_and_what_is_frozen():
    model = build("unet++ds", "plain:4").to(torch.float64).to(memory_format=torch.channels_last).eval()
    model.encoder.requires_grad_(False)
    small = prune(model, 2)
    assert not small.training
    assert {p.dtype for p in small.parameters()} == {torch.float64}
    assert small.heads["2"].weight.is_contiguous(memory_format=torch.channels_last)
    assert not any(p.requires_grad for p in small.encoder.parameters())
    assert all(p.requires_grad for p in small.nodes.parameters())


def test_pruning_keeps_the_type_and_device_of_what_no_state_dict_holds():
    image = torch.randn(1, 1, 32, 32, dtype=torch.bfloat16)
    model = build("unet++ds", "timm:eva02_tiny_patch14_224", 3).to(torch.bfloat16).eval()
    assert torch.equal(prune(model, 2)(image)[2], model(image)[2])
    assert all(buffer.is_meta for buffer in prune(model.to("meta"), 3).buffers())


def test_pruning_keeps_the_mode_of_each_module():
    model = build("unet++ds", "plain:4").train()
    model.encoder.eval()
    small = prune(model, 2)
    assert small.training
    assert small.nodes.training
    assert not small.encoder.training


def test_pruning_copies_the_weights():
    model = build("unet++ds", "plain:4")
    small = prune(model, 1)
    before = model.heads["1"].bias.clone()
    small.heads["1"].bias.data.add_(1)
    assert torch.equal(model.heads["1"].bias, before)


def test_pruning_draws_no_random_numbers():
    model = build("unet++ds", "plain:4")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    prune(model, 2)
    assert torch.equal(torch.rand(1), expected)


def test_a_network_with_one_head_cannot_be_pruned():
    with pytest.raises(RequestError, match="a head was trained only at depth 4"):
        prune(build("unet++", "plain:4"), 2)


def test_each_pruned_depth_costs_less():
    sizes = [network_size(specify(f"unet++:{d}", "timm:resnet10t"), 64) for d in range(1, 5)]
    assert all(a.parameters < b.parameters and a.flops < b.flops for a, b in itertools.pairwise(sizes))


@pytest.mark.parametrize(("depth", "kmac"), [(1, 53), (2, 136), (3, 266), (4, 454)])
def test_the_work_per_pixel_is_the_papers(depth, kmac):
    size = network_size(specify(f"unet++:{depth}", "plain", block="paper"), 96)
    assert size.flops / 2 / 96**2 / 1000 == pytest.approx(kmac, abs=0.6)


def test_counting_takes_no_memory_and_leaves_the_default_device():
    network_size(specify("unet++", "plain:512"), 512)
    assert torch.empty(1).device.type == "cpu"


def test_the_work_of_a_volume_is_that_of_a_kernel_three_deep():
    flat, deep = (network_size(specify("unet:1", "plain:4", dims=dims), 16).flops for dims in (2, 3))
    assert 2 * 16 * flat < deep <= 3 * 16 * flat


def test_an_image_that_is_too_small_is_told_what_is_enough():
    with pytest.raises(RequestError, match="size 8 is too small: a network of depth 4 takes 16 or more"):
        network_size(specify("unet", "plain:4"), 8)


def test_an_encoder_that_is_flat_is_refused_for_volumes():
    with pytest.raises(RequestError, match="encoder 'timm:resnet10t' cannot take 3D images, only 2D"):
        build("unet", "timm:resnet10t", dims=3)


@pytest.mark.parametrize("option", [{"classes": 0}, {"in_channels": -1}, {"block": "papr"}, {"dims": 4}])
def test_a_network_that_cannot_be_is_refused(option):
    with pytest.raises(RequestError):
        build("unet", "plain:4", **option)

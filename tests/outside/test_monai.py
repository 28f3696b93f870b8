import pytest
import torch
from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus

from nestbench.errors import RequestError
from nestbench.model import build


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("architecture", ["BasicUNet", "BasicUNetPlusPlus"])
@torch.no_grad()
def test_a_network_of_monai_answers_at_the_images_own_size(architecture, dims):
    size = (17, 34, 20)[:dims]
    logits = build(f"monai:{architecture}", classes=2, dims=dims).eval()(torch.randn(1, 1, *size))
    assert {depth: values.shape for depth, values in logits.items()} == {4: (1, 2, *size)}


@torch.no_grad()
def test_it_is_monais_own_network():
    torch.manual_seed(0)
    ours = build("monai:BasicUNetPlusPlus", in_channels=2, classes=3, dims=3).eval()
    torch.manual_seed(0)
    theirs = BasicUNetPlusPlus(spatial_dims=3, in_channels=2, out_channels=3).eval()
    volume = torch.randn(1, 2, 16, 32, 16)
    assert torch.equal(ours(volume)[4], theirs(volume)[0])


@torch.no_grad()
def test_our_network_answers_in_the_shape_that_monais_does():
    volume = torch.randn(1, 1, 16, 32, 16)
    ours = build("unet++", "plain:4", classes=2, dims=3).eval()(volume)[4]
    assert ours.shape == build("monai:BasicUNetPlusPlus", classes=2, dims=3).eval()(volume)[4].shape


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("monai:BasicUnet", {}, "unknown monai architecture 'BasicUnet'; did you mean 'BasicUNet'"),
        ("monai:BasicUNet", {"depth": 3}, "has depth 4, not 3"),
        ("monai:BasicUNet", {"pretrained": True}, "has no pretrained weights"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(name, options, sentence):
    with pytest.raises(RequestError, match=sentence):
        build(name, **options)

import pytest
import torch

from nestbench.encoders.plain import Plain
from nestbench.encoders.timm import Timm, names
from nestbench.errors import RequestError
from nestbench.testing import check_encoder


@pytest.mark.parametrize("name", ["plain:4", "timm:resnet10t", "timm:convnext_atto", "timm:vgg11"])
def test_an_encoder_keeps_the_contract(name):
    check_encoder(name)


@pytest.mark.parametrize("name", ["timm:resnet10t", "timm:convnext_atto", "timm:vgg11"])
def test_every_encoder_begins_at_the_resolution_of_the_image(name):
    encoder = Timm(name.partition(":")[2], 4, 3)
    assert [f.shape[-1] for f in encoder(torch.randn(1, 3, 64, 64))] == [64, 32, 16, 8, 4]


def test_stages_that_the_depth_does_not_need_are_not_built():
    sizes = [sum(p.numel() for p in Timm("resnet10t", depth, 3).parameters()) for depth in range(1, 6)]
    assert sizes == sorted(set(sizes))


def test_an_encoder_whose_first_stride_is_four_gives_depth_one_by_its_stem_alone():
    encoder = Timm("convnext_atto", 1, 3)
    assert encoder.trunk is None
    assert [f.shape[-1] for f in encoder(torch.randn(1, 3, 32, 32))] == [32, 16]


def test_a_depth_that_an_encoder_cannot_give_is_refused_with_its_strides():
    with pytest.raises(RequestError, match=r"'test_vit' (cannot give depth|gives no features)"):
        Timm("test_vit", 5, 3)


def test_a_misspelt_timm_encoder_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="unknown timm encoder 'resnet81'; did you mean 'resnet"):
        Timm("resnet81", 4, 3)


@pytest.mark.parametrize("width", ["0", "-3", "wide", "1.5"])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(RequestError, match="is not a whole number above 0"):
        Plain(width, 2, 1)


def test_the_plain_encoder_has_no_pretrained_weights():
    with pytest.raises(RequestError, match="no pretrained weights"):
        Plain("", 2, 1, pretrained=True)


def test_names_can_be_narrowed():
    assert "resnet18" in names("resnet*")
    assert not any(n.startswith("vit") for n in names("resnet*"))

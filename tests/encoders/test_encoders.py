"""The contract, kept by an encoder of each kind."""

import pytest
import torch

from nestbench.encoders.timm import Timm
from nestbench.testing import check_encoder


@pytest.mark.parametrize("name", ["plain:4", "timm:test_resnet", "timm:test_vit", "smp:mobilenet_v2"])
def test_an_encoder_keeps_the_contract(name):
    check_encoder(name, depth=2)


def test_an_encoder_whose_first_stride_is_four_gives_depth_one_by_its_stem_alone():
    encoder = Timm("test_convnext", 1, 3)
    assert encoder.trunk is None
    assert [f.shape[-1] for f in encoder(torch.randn(1, 3, 32, 32))] == [32, 16]

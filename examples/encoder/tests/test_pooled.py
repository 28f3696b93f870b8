"""What nestbench asks of every encoder, and what this one adds."""

import pytest

from nestbench.errors import RequestError
from nestbench.model import build
from nestbench.testing import check_encoder


def test_the_encoder_keeps_the_contract():
    check_encoder("pooled:4", depth=2)


def test_the_variant_is_the_width():
    assert build("unet", "pooled:8", depth=2).encoder.channels == (8, 16, 32)


@pytest.mark.parametrize("variant", ["wide", "0", "-8"])
def test_a_variant_that_is_no_width_is_refused(variant):
    with pytest.raises(RequestError, match=f"width '{variant}' of encoder"):
        build("unet", f"pooled:{variant}", depth=2)


def test_pretrained_weights_are_refused_as_there_are_none():
    with pytest.raises(RequestError, match="no pretrained weights"):
        build("unet", "pooled", depth=2, pretrained=True)

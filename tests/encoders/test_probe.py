"""What is found of small models that lose pixels or read values."""

import pytest
import torch
from torch import nn

from nestbench.encoders.frame import Frame
from nestbench.encoders.probe import pad_valid, probe


class Halving(nn.Sequential):
    """Halves an image twice, each time by a 3x3 convolution."""

    def __init__(self, padding):
        super().__init__(nn.Conv2d(3, 4, 3, 2, padding), nn.Conv2d(4, 5, 3, 2, 1))


class Reading(Halving):
    """Looks at the values of its image."""

    def forward(self, image):
        return super().forward(image) if image.sum().item() else image


def anatomy(make):
    return probe(make, read, lambda _: {0: (2, 4), 1: (4, 5)}, native=32)


def read(model, image):
    if isinstance(model, Reading):
        model(image)
    return [first := model[0](image), model[1](first)]


def test_a_padded_model_takes_any_size_as_it_is():
    found = anatomy(lambda: Halving(1))
    assert (found.frame, found.padded) == (Frame(), False)
    assert [(f.stride, f.channels, f.exact) for f in found.features] == [(2, 4, True), (4, 5, True)]


def test_a_pixel_that_is_lost_of_an_even_side_alone_is_noticed():
    found = anatomy(lambda: Halving(0))
    assert (found.frame, found.padded) == (Frame(), True)


def test_padding_gives_back_the_pixel_that_was_lost():
    model, image = Halving(0), torch.empty(1, 3, 64, 65)
    assert read(model, image)[0].shape[2:] == (31, 32)
    assert pad_valid(model)
    assert read(model, image)[0].shape[2:] == (32, 33)


def test_parameters_that_are_never_trained_are_used_all_the_same():
    found = anatomy(lambda: Halving(1).requires_grad_(False))
    assert found.features[0].used == {"0.weight", "0.bias"}


def test_a_parameter_of_whole_numbers_is_let_be():
    def counting():
        model = Halving(1)
        model.register_parameter("count", nn.Parameter(torch.tensor([3]), requires_grad=False))
        return model

    assert anatomy(counting).features[1].used == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_a_model_that_fits_in_no_way_is_refused_with_what_it_says_where_it_is_padded():
    class Shrinking(Halving):
        """Loses more than the pixels that padding gives back, and says so there."""

        def __init__(self):
            super().__init__(0)
            self.append(nn.Conv2d(5, 5, 5))

        def forward(self, image):
            if self[0].padding == (1, 1):
                raise ValueError("padded, and still too small")
            return super().forward(image)

    with pytest.raises(RuntimeError, match=r"^padded, and still too small$"):
        probe(Shrinking, lambda model, image: [model(image)], lambda _: {0: (4, 5)}, native=32)


def test_a_model_that_reads_values_is_refused_with_that_reason():
    with pytest.raises(RuntimeError, match="the model reads values from tensors, and only shapes are known"):
        anatomy(lambda: Reading(1))

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nestbench.encoders.frame import Frame, framed, unframed

SIDES = st.integers(1, 40)
FRAMES = st.builds(Frame, st.sampled_from([1, 4, 8, 16]), st.booleans(), st.sampled_from([1, 32]))


@given(SIDES, SIDES, FRAMES)
def test_a_framed_image_has_a_size_that_the_model_takes(height, width, frame):
    image = framed(torch.randn(2, 3, height, width), frame)
    for side in image.shape[2:]:
        assert side == frame.side if frame.tile else side % frame.side == 0 and side >= frame.least


@given(SIDES, SIDES, FRAMES)
def test_what_is_framed_and_unframed_is_the_image_again(height, width, frame):
    image = torch.randn(2, 3, height, width)
    assert torch.equal(unframed(framed(image, frame), image, frame, stride=1, exact=True), image)


@given(SIDES, SIDES, st.sampled_from([4, 8, 16]), st.booleans())
def test_a_feature_of_a_padded_image_has_its_sides_rounded_up(height, width, side, tile):
    image, frame = torch.randn(1, 2, height, width), Frame(side, tile)
    feature = functional.avg_pool2d(framed(image, frame), 4)
    assert unframed(feature, image, frame, 4, exact=True).shape[2:] == (-(-height // 4), -(-width // 4))


@given(SIDES, SIDES)
def test_a_feature_of_another_stride_is_resized_to_the_level(height, width):
    image, frame = torch.randn(1, 2, height, width), Frame(7)
    feature = functional.avg_pool2d(framed(image, frame), 7)
    assert unframed(feature, image, frame, 8, exact=False).shape[2:] == (-(-height // 8), -(-width // 8))


def test_tiles_lie_row_by_row_and_image_by_image():
    image = torch.arange(2 * 4 * 6.0).reshape(2, 1, 4, 6)
    tiles = framed(image, Frame(2, tile=True))
    assert torch.equal(tiles[1, 0], image[0, 0, :2, 2:4])
    assert torch.equal(tiles[3, 0], image[0, 0, 2:, :2])
    assert torch.equal(tiles[6, 0], image[1, 0, :2, :2])

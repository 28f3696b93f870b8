import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.exposure import rescale_intensity

from nestbench.datasets.intensity import moments, to_bytes
from nestbench.errors import RequestError

ENDS = (0.5, 99.5)


def test_brightness_stays_as_it_is():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert to_bytes(image, None, ENDS, "it") is image


def test_a_window_is_the_same_in_every_image():
    image = np.array([-1000, -200, 25, 250, 3000], np.int16).reshape(1, 5, 1)
    assert to_bytes(image, (-200, 250), ENDS, "it").ravel().tolist() == [0, 0, 128, 255, 255]


@given(arrays(np.float32, (6, 7, 2), elements=st.floats(-1e4, 1e4, width=32)), st.floats(0.5, 1e3), st.floats(-50, 50))
def test_percentiles_undo_the_scale_of_a_scanner(image, gain, offset):
    first, second = (
        to_bytes(i, None, (0, 100), "it").astype(int) for i in (image, gain * image.astype(float) + offset)
    )
    spread = np.ptp(image.reshape(-1, 2), axis=0) > 1
    assert (abs(first - second)[..., spread] <= 1).all()


@pytest.mark.parametrize("dtype", [">u2", np.uint16, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("ends", [ENDS, (10, 90)])
def test_values_are_stretched_between_their_percentiles(dtype, ends):
    image = np.random.default_rng(0).gamma(2, 800, (40, 40, 1)).astype(dtype)
    low, high = np.percentile(image, ends)
    stretched = rescale_intensity(image.astype(float), (low, high), (0, 255))
    assert np.abs(to_bytes(image, None, ends, "it") - stretched).max() <= 0.5 + 1e-9


def test_an_image_of_one_value_is_black():
    assert not to_bytes(np.full((8, 8, 1), 700, np.uint16), None, ENDS, "it").any()


def test_each_channel_has_percentiles_of_its_own():
    image = np.stack([np.linspace(0, 1, 64), np.linspace(-5e4, 5e4, 64)], axis=-1).reshape(8, 8, 2)
    pixels = to_bytes(image, None, (0, 100), "it")
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_values_that_are_not_numbers_are_refused():
    with pytest.raises(RequestError, match="case 'a' holds values that are not numbers"):
        to_bytes(np.array([[[np.nan]]]), None, ENDS, "case 'a'")


@given(arrays(np.uint8, (3, 4, 5, 2)))
def test_moments_are_those_of_all_values(pixels):
    mean, deviation = moments(pixels)
    assert mean == pytest.approx(pixels.mean())
    assert deviation == pytest.approx(max(pixels.std(), 1))


def test_in_a_window_of_units_every_image_has_the_window_s():
    dark, light = (np.full((2, 2, 1), value, np.uint8) for value in (3, 200))
    assert moments(dark, windowed=True) == moments(light, windowed=True) == (127.5, 127.5)

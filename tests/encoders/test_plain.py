import pytest

from nestbench.encoders.plain import Plain
from nestbench.errors import RequestError


@pytest.mark.parametrize("width", ["0", "-3", "wide", "1.5"])
def test_a_width_that_is_none_is_refused(width):
    with pytest.raises(RequestError, match="is not a whole number above 0"):
        Plain(width, 2, 1)


def test_the_plain_encoder_has_no_pretrained_weights():
    with pytest.raises(RequestError, match="no pretrained weights"):
        Plain("", 2, 1, pretrained=True)

import pytest

from nestbench.errors import RequestError
from nestbench.study.models import check_model, is_outside, split_depth
from nestbench.topology import MEMBERS


def test_members_of_the_family_are_not_outside():
    assert not any(is_outside(name) for name in (*MEMBERS, "unet:2"))
    assert is_outside("smp:Unet")
    assert is_outside("smp:Unet:5")


@pytest.mark.parametrize(
    ("name", "split"), [("smp:Unet", ("smp:Unet", 4)), ("smp:Unet:5", ("smp:Unet", 5)), ("other", ("other", 4))]
)
def test_a_depth_stands_behind_the_last_colon(name, split):
    assert split_depth(name, 4) == split


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("unet+++", r"unknown model 'unet\+\+\+'; did you mean 'unet\+\+'"),
        ("smpp:Unet", "unknown model 'smpp:Unet'.*smp"),
        ("smp:Unet:7", "depth '7' of model 'smp:Unet:7' is not a whole number from 1 to 5"),
        ("unet:7", "depth '7' of model 'unet:7'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_without_any_import(name, sentence):
    with pytest.raises(RequestError, match=sentence):
        check_model(name, 4)

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestbench.report.names import counted, listed, points, probability, shortened, signed, significant, spread, title
from nestbench.topology import MEMBERS


def test_a_member_has_the_papers_name() -> None:
    assert title("unet++ds", 4) == "UNet++ DS"


def test_a_depth_of_its_own_is_part_of_the_name() -> None:
    assert title("unet:2", 4) == "U-Net L2"
    assert title("unet:4", 4) == "U-Net"


def test_a_network_of_another_library_keeps_its_name_there() -> None:
    assert title("smp:UnetPlusPlus", 4) == "UnetPlusPlus (smp)"
    assert title("smp:FPN:5", 4) == "FPN (smp) L5"


def test_every_member_of_the_family_has_a_name_of_its_own() -> None:
    assert len({title(name, 4) for name in MEMBERS}) == len(MEMBERS)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (points(0.8344), "83.4"),
        (signed(-0.0123), "\N{MINUS SIGN}1.23"),
        (signed(0.0123), "+1.23"),
        (spread(0.834, 0.003), "83.40 ± 0.30"),
        (spread(0.834, math.nan), "83.40"),
        (probability(0.0004), "< .001"),
        (probability(0.0312), ".031"),
        (probability(1.0), "1.000"),
        (significant(100_961, 1e6), "0.101"),
        (significant(14_328_209, 1e6), "14.3"),
        (significant(123_456_789, 1e6), "123"),
        (counted(1, "seed"), "1 seed"),
        (counted(3, "seed"), "3 seeds"),
        (listed(["A"]), "A"),
        (listed(["A", "B", "C"]), "A, B and C"),
    ],
)
def test_numbers_and_lists_read_as_expected(said: str, expected: str) -> None:
    assert said == expected


def test_a_number_that_is_not_there_is_a_dash() -> None:
    assert {points(math.nan), signed(math.nan), probability(math.nan), significant(math.nan)} == {"\N{EN DASH}"}


@settings(deadline=None)
@given(st.floats(1e-3, 1e6))
def test_three_significant_digits_are_within_half_a_percent(value: float) -> None:
    assert float(significant(value)) == pytest.approx(value, rel=0.0051)


def test_only_an_id_that_is_too_long_is_shortened() -> None:
    assert shortened("patient-07_slice-113") == "patient-07_slice-113"
    assert shortened("93c5638e7e6433b5c9cc87c152bcbe28873d2f9d") == "93c5638e7e64\N{HORIZONTAL ELLIPSIS}"

import pytest
from pydantic import TypeAdapter, ValidationError

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.subjects import Pattern, cases_of
from nestbench.errors import RequestError


def test_without_a_pattern_each_name_is_a_subject():
    assert cases_of(["b", "a"], None) == (Case("b", "b"), Case("a", "a"))


def test_the_group_is_the_subject_and_the_order_stays():
    assert cases_of(["p2_1", "p1_1"], "(p[0-9])_") == (Case("p2_1", "p2"), Case("p1_1", "p1"))


def test_names_without_a_subject_are_listed():
    with pytest.raises(
        RequestError, match=r"the expression '\(p\?\)1' finds no subject in '1'; 'q1'; 'r1'; and 1 more"
    ):
        cases_of(["p1", "1", "q1", "r1", "s"], "(p?)1")


@pytest.mark.parametrize(
    ("pattern", "sentence"), [("p", "has 0 groups"), ("(p)(q)", "has 2 groups"), ("(p", "is no reg")]
)
def test_a_pattern_has_one_group(pattern: str, sentence: str):
    assert TypeAdapter(Pattern).validate_python("(p)") == "(p)"
    with pytest.raises(ValidationError, match=sentence):
        TypeAdapter(Pattern).validate_python(pattern)

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.datasets.contract import Case
from nestbench.datasets.splits import Split, split_cases
from nestbench.errors import RequestError

SHARES = (0.5, 0.2, 0.3)

subject_sizes = st.lists(st.integers(1, 12), min_size=3, max_size=40)
shares = st.tuples(*[st.integers(1, 20)] * 3).map(lambda parts: tuple(part / sum(parts) for part in parts))


def cases_of(sizes: list[int]) -> list[Case]:
    return [Case(f"s{s}-c{c}", f"s{s}") for s, size in enumerate(sizes) for c in range(size)]


def sides(split: Split) -> tuple[tuple[int, ...], ...]:
    return split.train, split.validation, split.test


def ids(split: Split, cases: list[Case]) -> list[list[str]]:
    return [[cases[i].id for i in side] for side in sides(split)]


@given(subject_sizes, shares)
def test_every_case_falls_on_one_side(sizes: list[int], shares: tuple[float, float, float]):
    split = split_cases(cases_of(sizes), shares)
    assert sorted(sum(sides(split), ())) == list(range(sum(sizes)))


@given(subject_sizes, shares)
def test_a_subject_never_falls_on_two_sides(sizes: list[int], shares: tuple[float, float, float]):
    cases = cases_of(sizes)
    found = [{cases[i].subject for i in side} for side in sides(split_cases(cases, shares))]
    assert sum(len(subjects) for subjects in found) == len(set.union(*found)) == len(sizes)


@given(subject_sizes, shares)
def test_no_side_is_empty(sizes: list[int], shares: tuple[float, float, float]):
    assert all(sides(split_cases(cases_of(sizes), shares)))


@given(subject_sizes, shares, st.randoms())
def test_the_order_of_the_cases_does_not_matter(sizes: list[int], shares: tuple[float, float, float], random: Random):
    cases = cases_of(sizes)
    shuffled = random.sample(cases, len(cases))
    assert ids(split_cases(cases, shares), cases) == ids(split_cases(shuffled, shares), shuffled)


@given(subject_sizes, shares)
def test_a_side_exceeds_its_share_by_less_than_a_subject(sizes: list[int], shares: tuple[float, float, float]):
    cases = cases_of(sizes)
    for side, share in zip(sides(split_cases(cases, shares)), shares, strict=True):
        subjects = Counter(cases[i].subject for i in side)
        assert len(side) < share * len(cases) + max(subjects.values()) or len(subjects) == 1


@given(st.integers(10, 300))
def test_single_cases_are_shared_out_to_within_one(count: int):
    split = split_cases(cases_of([1] * count), SHARES)
    assert all(abs(len(side) - share * count) <= 1 for side, share in zip(sides(split), SHARES, strict=True))


def test_the_bowl_is_split_as_the_paper_says():
    assert [len(side) for side in sides(split_cases(cases_of([1] * 670), SHARES))] == [335, 134, 201]


def test_a_split_is_the_same_on_every_machine():
    cases = cases_of([2, 1, 1, 3, 1, 2])
    assert ids(split_cases(cases, SHARES), cases) == [
        ["s2-c0", "s3-c0", "s3-c1", "s3-c2", "s4-c0"],
        ["s0-c0", "s0-c1"],
        ["s1-c0", "s5-c0", "s5-c1"],
    ]


def test_large_subjects_are_not_always_trained_on():
    trained = 0
    for study in range(40):
        small = [Case(f"small-{number}", f"{study}-{number}") for number in range(60)]
        cases = small + [Case(f"large-{number}", f"{study}-large") for number in range(8)]
        trained += len(cases) - 1 in split_cases(cases, (0.4, 0.3, 0.3)).train
    assert 5 < trained < 30


@pytest.mark.parametrize("subjects", [0, 1, 2])
def test_too_few_subjects_are_counted(subjects: int):
    with pytest.raises(RequestError, match=f"{subjects * 4} cases of {subjects} subjects .* at least 3"):
        split_cases(cases_of([4] * subjects), SHARES)

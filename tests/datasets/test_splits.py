from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.datasets.contract import SIDES, Case
from nestbench.datasets.splits import Split, split_cases
from nestbench.errors import RequestError
from nestbench.study.data import Folds

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


many_subjects = st.lists(st.integers(1, 12), min_size=7, max_size=40)
fold_counts = st.integers(3, 7)


def every_fold(cases: list[Case], folds: int) -> list[Split]:
    return [split_cases(cases, Folds(folds=folds, fold=fold)) for fold in range(folds)]


@given(many_subjects, fold_counts)
def test_each_subject_is_tested_in_one_fold_and_validates_in_the_one_before(sizes: list[int], folds: int):
    cases = cases_of(sizes)
    splits = every_fold(cases, folds)
    assert sorted(i for split in splits for i in split.test) == list(range(len(cases)))
    assert all(split.validation == splits[(fold + 1) % folds].test for fold, split in enumerate(splits))


@given(many_subjects, fold_counts)
def test_folds_never_part_a_subject_and_leave_no_case_and_no_side_out(sizes: list[int], folds: int):
    cases = cases_of(sizes)
    for split in every_fold(cases, folds):
        subjects = [{cases[i].subject for i in side} for side in sides(split)]
        assert sum(map(len, subjects)) == len(sizes)
        assert sorted(sum(sides(split), ())) == list(range(len(cases)))
        assert all(subjects)


@given(many_subjects, fold_counts)
def test_folds_differ_by_at_most_the_largest_subject(sizes: list[int], folds: int):
    counts = [len(split.test) for split in every_fold(cases_of(sizes), folds)]
    assert max(counts) - min(counts) <= max(sizes)


@given(many_subjects, fold_counts, st.randoms())
def test_the_order_of_the_cases_does_not_matter_to_folds(sizes: list[int], folds: int, random: Random):
    cases = cases_of(sizes)
    shuffled = random.sample(cases, len(cases))
    for before, after in zip(every_fold(cases, folds), every_fold(shuffled, folds), strict=True):
        assert ids(before, cases) == ids(after, shuffled)


def test_thirty_patients_are_split_as_the_paper_does():
    cases = cases_of([1] * 30)
    assert [[len(side) for side in sides(split)] for split in every_fold(cases, 5)] == [[18, 6, 6]] * 5


def test_folds_are_no_runs_of_the_list():
    tested = split_cases(cases_of([1] * 30), Folds(folds=5)).test
    assert tested not in [tuple(range(start, start + 6)) for start in range(25)]


def test_folds_are_the_same_on_every_machine():
    cases = cases_of([2, 1, 1, 3, 1, 2])
    assert ids(split_cases(cases, Folds(folds=3, fold=1)), cases) == [
        ["s1-c0", "s3-c0", "s3-c1", "s3-c2"],
        ["s0-c0", "s0-c1", "s2-c0"],
        ["s4-c0", "s5-c0", "s5-c1"],
    ]


def test_more_folds_than_subjects_are_refused():
    with pytest.raises(RequestError, match=r"12 cases of 4 subjects cannot be split into 5 folds: .* at least 5"):
        split_cases(cases_of([3] * 4), Folds(folds=5))


def official(*found: tuple[str, str | None]) -> list[Case]:
    """Cases by subject and side."""
    return [Case(f"c{number}", subject, side) for number, (subject, side) in enumerate(found)]


@given(st.lists(st.sampled_from(SIDES), min_size=1), st.randoms())
def test_the_official_split_is_each_case_on_its_own_side(more: list[str], random: Random):
    cases = official(*((str(number), side) for number, side in enumerate([*SIDES, *more])))
    shuffled = random.sample(cases, len(cases))
    split = split_cases(shuffled, "official")
    for side, found in zip(SIDES, sides(split), strict=True):
        assert {shuffled[i].id for i in found} == {case.id for case in cases if case.side == side}


def test_no_official_split_is_answered_with_what_else_there_is():
    with pytest.raises(
        RequestError, match=r"has no official split: give shares, as in split: \[0.6, 0.2, 0.2\], or folds"
    ):
        split_cases(cases_of([1] * 5), "official")


def test_a_case_without_an_official_side_is_named():
    cases = official(("a", "train"), ("b", "validation"), ("c", "test"), ("d", None))
    with pytest.raises(RequestError, match=r"names no side for case 'c3'$"):
        split_cases(cases, "official")


def test_a_subject_on_two_official_sides_is_named():
    cases = official(("a", "train"), ("b", "validation"), ("c", "test"), ("a", "test"))
    with pytest.raises(RequestError, match=r"one subject on two sides: subject 'a' on train and test$"):
        split_cases(cases, "official")


def test_an_empty_official_side_is_named_with_what_else_there_is():
    with pytest.raises(RequestError, match=r"leaves validation empty: give shares, .* or folds"):
        split_cases(official(("a", "train"), ("b", "test")), "official")

from collections.abc import Callable

import pytest

from nestbench.report.answers import answers, pruning, whole
from nestbench.report.chapters import make_tables
from nestbench.report.gather import Evidence
from nestbench.report.names import MINUS

Make = Callable[..., Evidence]


def said(evidence: Evidence) -> list[str]:
    numbers = make_tables(evidence)
    return answers(numbers["members"], numbers["comparisons"], evidence.study.depth)


def test_a_real_difference_is_the_answer(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds"), cases=40))
    assert "UNet++ DS has the highest mean" in answer
    assert "better than every other network" in answer


def test_no_ranking_is_given_where_the_test_supports_none(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet+")))
    assert "not separable from any other network here" in answer
    assert "better" not in answer


def test_the_smallest_network_that_is_not_separable_is_named(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet+", "unet")))
    assert "U-Net (14.3 million parameters)" in answer


def test_those_that_are_beaten_and_those_that_are_not_are_told_apart(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds", "unet++ds:3"), cases=40))
    assert "It is better than U-Net and not separable from UNet++ DS L3 here." in answer


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_the_reason_why_nothing_can_be_said(make_evidence: Make, seeds: int) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds"), seeds=seeds))
    assert answer.endswith("The networks are not separable here: fewer than three seeds in common.")


def test_a_lone_network_is_not_compared(make_evidence: Make) -> None:
    numbers = make_tables(make_evidence(models=("unet",), seeds=2))
    (answer,) = answers(numbers["members"], numbers.get("comparisons", numbers["members"]), 4)
    assert "nothing to compare it with" in answer


def test_every_panel_has_its_own_answer(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=2, datasets=("nuclei", "other"), encoders=("a", "b"))
    assert [answer.split(",")[0] for answer in said(evidence)] == [
        "On nuclei with a",
        "On nuclei with b",
        "On other with a",
        "On other with b",
    ]


def decided(evidence: Evidence, **decision: object) -> str:
    """What is said of the only network, where this was decided of its L2."""
    numbers = make_tables(evidence)
    heads = numbers["pruning"].assign(chosen=False, confirmed=False)
    for column, value in decision.items():
        heads.loc[heads["output"] == "L2", column] = value
    return pruning(heads, numbers["depths"], 4)[0]


def test_a_depth_that_the_test_confirms_is_told_with_all_that_it_saves(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet++ds",))
    said = decided(evidence, chosen=True, confirmed=True, test=-0.001, test_low=-0.003)
    assert said.replace(MINUS, "-") == (
        "On nuclei with timm:resnet18: UNet++ DS may be pruned to L2 (-0.10 points on the test cases, at least -0.30) "
        "and takes 1.00 of 16.0 million parameters, 9.19 of 21.1 GFLOPs and 18.4 of 42.2 ms on AMD EPYC 9V74 80-Core "
        "Processor."
    )


def test_a_depth_that_the_test_does_not_confirm_is_not_advised(make_evidence: Make) -> None:
    said = decided(make_evidence(models=("unet++ds",)), chosen=True)
    assert "validation chooses L2, and the test cases do not confirm it" in said
    assert said.endswith("it stays at L4.")


def test_where_no_head_is_good_enough_the_network_stays_whole(make_evidence: Make) -> None:
    said = decided(make_evidence(models=("unet++ds",)))
    assert said.endswith("for UNet++ DS validation shows no shallower head to be not inferior: it stays at L4.")


def test_with_one_seed_no_depth_is_advised_and_the_reason_said(make_evidence: Make) -> None:
    numbers = make_tables(make_evidence(models=("unet++ds",), seeds=1))
    (said,) = pruning(numbers["pruning"], numbers["depths"], 4)
    assert "for UNet++ DS there is no test (fewer than three seeds, or two subjects): it stays at L4" in said


def test_savings_are_not_told_where_speed_was_not_measured(make_evidence: Make) -> None:
    said = decided(make_evidence(models=("unet++ds",), speed=False), chosen=True, confirmed=True)
    assert "may be pruned to L2" in said
    assert "takes" not in said


def test_members_with_one_head_are_not_pruned(make_evidence: Make) -> None:
    numbers = make_tables(make_evidence(models=("unet", "unet++"), seeds=2))
    assert "pruning" not in numbers


def test_networks_that_cannot_be_pruned_are_named(make_evidence: Make) -> None:
    mixed = make_tables(make_evidence(models=("unet", "unet++ds", "smp:Unet"), seeds=2))["depths"]
    assert whole(mixed, 4) == ["U-Net and Unet (smp) have one head: they cannot be pruned."]
    assert whole(mixed[mixed["model"] == "smp:Unet"], 4) == ["Unet (smp) has one head: it cannot be pruned."]
    assert whole(mixed[mixed["model"] == "unet++ds"], 4) == []

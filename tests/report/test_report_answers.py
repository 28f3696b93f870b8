from collections.abc import Callable

from nestbench.report.answers import answers, pruning, whole
from nestbench.report.chapters import make_tables
from nestbench.report.gather import Evidence

Make = Callable[..., Evidence]


def said(evidence: Evidence) -> list[str]:
    numbers = make_tables(evidence)
    return answers(numbers["members"], numbers["comparisons"], evidence.study.depth)


def test_a_real_difference_is_the_answer(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds"), cases=40))
    assert "UNet++ DS has the highest mean" in answer
    assert "better than every other network" in answer


def test_no_ranking_is_given_where_the_test_supports_none(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "wide-unet"), seeds=2))
    assert "not separable from any other network here" in answer
    assert "better" not in answer


def test_the_smallest_network_that_is_not_separable_is_named(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("wide-unet", "unet"), seeds=2))
    assert "U-Net (14.3 million parameters)" in answer


def test_those_that_are_beaten_and_those_that_are_not_are_told_apart(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds", "unet++ds:3"), cases=40))
    assert "It is better than U-Net, but not separable from UNet++ DS" in answer


def test_one_seed_gives_the_reason_why_nothing_can_be_said(make_evidence: Make) -> None:
    (answer,) = said(make_evidence(models=("unet", "unet++ds"), seeds=1))
    assert answer.endswith("The networks are not separable here: fewer than two seeds in common.")


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


def test_the_depth_to_prune_to_is_chosen_on_validation_and_told_on_test(make_evidence: Make) -> None:
    outputs = make_tables(make_evidence(models=("unet++ds",), cases=40))["depths"]
    (before,) = pruning(outputs, 4)
    assert "UNet++ DS to L4 with 100 % of its parameters (test IoU" in before
    whole = outputs.loc[outputs["output"] == "ensemble", "validation"].iloc[0]
    outputs.loc[outputs["output"] == "L2", "validation"] = whole - 0.004
    (after,) = pruning(outputs, 4)
    assert "UNet++ DS to L2 with 6 % of its parameters (test IoU \N{MINUS SIGN}2" in after
    assert after.endswith("points, worse).")


def test_members_with_one_head_are_not_pruned(make_evidence: Make) -> None:
    assert pruning(make_tables(make_evidence(models=("unet", "unet++"), seeds=2))["depths"], 4) == []


def test_networks_that_cannot_be_pruned_are_named(make_evidence: Make) -> None:
    mixed = make_tables(make_evidence(models=("unet", "unet++ds", "smp:Unet"), seeds=2))["depths"]
    assert whole(mixed, 4) == ["U-Net and Unet (smp) have one head: they cannot be pruned."]
    assert whole(mixed[mixed["model"] == "smp:Unet"], 4) == ["Unet (smp) has one head: it cannot be pruned."]
    assert whole(mixed[mixed["model"] == "unet++ds"], 4) == []

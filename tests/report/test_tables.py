from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestbench.report.chapters import Tables
from nestbench.report.gather import Evidence
from nestbench.report.statistics.comparisons import compare_members, correct
from nestbench.report.statistics.pruning import prunable
from nestbench.report.tables import chosen, depths, members, unfinished
from nestbench.results.records import read_result
from nestbench.results.scores import METRICS

Make = Callable[..., Evidence]


def main_table(evidence: Evidence) -> pd.DataFrame:
    return members(evidence, correct(compare_members(evidence.primary_cases))[0])


def depth_table(evidence: Evidence) -> pd.DataFrame:
    return depths(evidence, prunable(evidence.cases))


def test_the_main_table_says_what_the_results_say(numbers: Tables, results: Path) -> None:
    cell = results / "nuclei" / "timm-resnet18" / "unet++ds"
    stored = [read_result(cell / f"seed-{seed}").scores["ensemble"] for seed in range(3)]  # type: ignore[union-attr]
    row = numbers["members"].set_index("model").loc["unet++ds"]
    for metric in METRICS:
        of_seeds = [scores[metric] for scores in stored]
        assert row[metric] == pytest.approx(np.mean(of_seeds))
        assert row[f"{metric}_sd"] == pytest.approx(np.std(of_seeds, ddof=1))


def test_the_interval_holds_the_mean(numbers: Tables) -> None:
    main = numbers["members"]
    assert ((main["low"] < main["iou"]) & (main["iou"] < main["high"])).all()


def unequal_subjects() -> pd.DataFrame:
    """U-Net wins on the hundred cases of one subject, UNet++ on each of twenty subjects with one case."""
    rows = []
    for seed in range(3):
        for number in range(120):
            subject = 0 if number < 100 else number
            iou = {"unet": 0.9, "unet++": 0.7} if number < 100 else {"unet": 0.5, "unet++": 0.8}
            noise = 0.001 * ((number * 7 + seed * 3) % 5)
            for model, value in iou.items():
                names = {"dataset": "d", "encoder": "e", "model": model, "seed": seed, "case": number}
                rows.append(names | {"subject": subject} | dict.fromkeys(METRICS, value + noise * (model == "unet")))
    return pd.DataFrame(rows)


def test_the_mean_that_ranks_is_the_mean_that_is_tested(make_evidence: Make) -> None:
    cases = unequal_subjects()
    evidence = replace(
        make_evidence(models=("unet", "unet++"), seeds=3),
        cases=cases.assign(split="test", output="L4", primary="L4"),
    )
    main = members(evidence, correct(compare_members(cases))[0]).set_index("model")
    assert main.loc["unet++", "iou"] > main.loc["unet", "iou"]
    assert main.loc["unet++", "verdict"] == "better"
    assert main.loc["unet++", "best"]
    assert ((main["low"] < main["iou"]) & (main["iou"] < main["high"])).all()


def test_without_a_second_seed_there_is_no_interval(make_evidence: Make) -> None:
    assert main_table(make_evidence(models=("unet",), seeds=1))["low"].isna().all()


def test_verdicts_are_against_unet_which_has_none(numbers: Tables) -> None:
    main = numbers["members"].set_index("model")
    assert (main["reference"] == "unet").all()
    assert main.loc["unet", "verdict"] == ""
    assert set(main["verdict"]) <= {"", "better", "U-Net better", "equivalent within 0.5 IoU", "not separable"}


def test_a_member_that_the_reference_beats_has_no_other_word_than_better(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet++ds", "unet"), cases=40)
    turned = replace(evidence, cases=evidence.cases.replace({"model": {"unet": "unet++ds", "unet++ds": "unet"}}))
    main = main_table(turned).set_index("model")
    assert main.loc["unet++ds", "verdict"] == "U-Net better"
    assert main["best"].to_dict() == {"unet": True, "unet++ds": False}


def test_shares_of_the_first_rank_stand_beside_the_scores(numbers: Tables) -> None:
    main = numbers["members"].set_index("model")
    assert main["rank_1"].sum() == pytest.approx(1.0)
    assert main["rank_1"].idxmax() == main["iou"].idxmax()


def test_without_unet_the_first_member_is_the_reference(make_evidence: Make) -> None:
    main = main_table(make_evidence(models=("unet++", "unet+"), seeds=2))
    assert (main["reference"] == "unet++").all()


def test_best_is_only_who_is_better_than_every_other(make_evidence: Make) -> None:
    main = main_table(make_evidence(models=("unet", "unet++ds"), cases=40)).set_index("model")
    assert main["best"].to_dict() == {"unet": False, "unet++ds": True}


def test_nobody_is_best_among_members_that_are_not_separable(make_evidence: Make) -> None:
    main = main_table(make_evidence(models=("unet", "wide-unet"), seeds=2))
    assert not main["best"].any()


def test_a_lone_member_is_not_best(make_evidence: Make) -> None:
    assert not main_table(make_evidence(models=("unet",), seeds=1))["best"].any()


def test_every_output_of_every_member_has_its_own_speed(evidence: Evidence, numbers: Tables) -> None:
    table = numbers["depths"]
    assert table[table["model"] == "unet++ds"]["output"].tolist() == ["L1", "L2", "L3", "L4", "ensemble"]
    assert table[table["model"] == "unet"]["output"].tolist() == ["L4"]
    own = table[table["model"] == "unet++ds"].set_index("output")
    whole = evidence.speed[(evidence.speed["model"] == "unet++ds") & (evidence.speed["output"] == "all")]
    assert own.loc["ensemble", "median_ms"] == whole["median_ms"].iloc[0]
    assert table["median_ms"].notna().all()


def test_a_depth_says_what_was_decided_of_it(evidence: Evidence) -> None:
    heads = prunable(evidence.cases).assign(chosen=False, confirmed=False)
    heads.loc[(heads["model"] == "unet++ds") & (heads["output"] == "L2"), ["chosen", "confirmed"]] = True
    heads.loc[(heads["model"] == "unet+ds") & (heads["output"] == "L3"), "chosen"] = True
    table = depths(evidence, heads).set_index(["model", "output"])["decision"]
    assert table[table != ""].to_dict() == {("unet+ds", "L3"): "not confirmed", ("unet++ds", "L2"): "confirmed"}


def test_depths_are_told_without_speed_too(make_evidence: Make) -> None:
    table = depth_table(make_evidence(models=("unet", "unet-e"), seeds=1, speed=False))
    assert len(table) == 6
    assert table["median_ms"].isna().all()


def test_the_chosen_values_are_those_of_the_runs(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=2, search=True)
    values = chosen(evidence)
    assert values.columns.tolist() == ["dataset", "encoder", "model", "learning_rate", "loss"]
    assert values["learning_rate"].iloc[0] == evidence.runs["recipe"].iloc[0]["learning_rate"]


def test_unfinished_runs_are_listed_with_their_reason(make_evidence: Make) -> None:
    table = unfinished(make_evidence(models=("unet", "unet++"), failed=("unet/seed-1",)))
    assert table[["model", "seed", "state", "reason"]].to_numpy().tolist() == [
        ["unet", 1, "failed", "the loss was not finite in epoch 7"]
    ]

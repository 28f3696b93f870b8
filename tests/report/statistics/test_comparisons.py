import numpy as np
import pandas as pd
import pytest
from fake_scores import heads, scores
from statsmodels.stats.multitest import multipletests

from nestbench.report.statistics.comparisons import (
    TESTS,
    compare_isolated,
    compare_members,
    correct,
    grid,
    verdicts,
)


def compared(table: pd.DataFrame, margin: float = 0.005) -> pd.DataFrame:
    return correct(compare_members(table), margin=margin)[0]


def test_one_seed_gives_a_difference_but_no_verdict() -> None:
    pairs = compared(scores({"a": 0.0, "b": 0.5}, seeds=1))
    assert pairs["difference"].iloc[0] == pytest.approx(0.5, abs=0.02)
    assert pairs[["low", "high", "p", "p_holm", "p_equivalent", "p_equivalent_holm", "p_paper"]].isna().all(axis=None)
    assert pairs["verdict"].iloc[0] == "not separable"
    assert "fewer than three seeds" in pairs["reason"].iloc[0]


def test_two_seeds_give_an_interval_but_no_verdict() -> None:
    pairs = compared(scores({"a": 0.0, "b": 0.5, "c": 0.5}, seeds=2, noise=1e-6))
    assert set(pairs["verdict"]) == {"not separable"}
    assert pairs[["p", "p_holm", "p_equivalent", "p_equivalent_holm"]].isna().all(axis=None)
    assert pairs[["low", "high"]].notna().all(axis=None)
    assert set(pairs["reason"]) == {"fewer than three seeds in common"}


def test_a_member_is_equivalent_to_its_own_copy() -> None:
    one = scores({"a": 0.0})
    pairs = compared(pd.concat([one, one.assign(model="copy")]))
    assert pairs.loc[0, ["p", "p_wilcoxon", "verdict"]].tolist() == [1.0, 1.0, "equivalent within 0.5 IoU"]


def test_the_verdict_names_the_direction() -> None:
    pairs = compared(scores({"a": 0.0, "b": 0.05}))
    said = verdicts(pairs)
    assert said["d", "e", "b", "a"] == "better"
    assert said["d", "e", "a", "b"] == "worse"
    assert said["d", "e", "a", "c"] == verdicts(pd.DataFrame())["d", "e", "a", "b"] == "not separable"


def test_the_better_of_two_stands_first_whichever_came_first() -> None:
    for gains in ({"a": 0.0, "b": 0.05}, {"b": 0.05, "a": 0.0}):
        row = compared(scores(gains)).iloc[0]
        assert (row["model"], row["against"], row["verdict"]) == ("b", "a", "better")
        assert 0 < row["low"] < row["difference"] < row["high"]
        assert row["t"] > 0


def test_a_difference_that_is_real_but_too_small_to_matter_is_no_better() -> None:
    table = scores({"a": 0.0, "b": 0.01}, noise=0.001)
    assert compared(table).loc[0, "verdict"] == "better"
    assert compared(table, margin=0.02).loc[0, "verdict"] == "equivalent within 2 IoU"
    assert compared(table, margin=0.02).loc[0, "p_holm"] < 0.05


def test_what_is_neither_shown_to_differ_nor_to_be_alike_is_not_separable() -> None:
    pairs = compared(scores({"a": 0.0, "b": 0.0}, noise=0.05))
    assert pairs.loc[0, "verdict"] == "not separable"
    assert (pairs.loc[0, ["p_holm", "p_equivalent_holm"]] > 0.05).all()


def test_holms_correction_runs_over_all_comparisons_of_a_table() -> None:
    gains = {"a": 0.0, "b": 0.001, "c": 0.002}
    one, other = scores(gains), scores(gains | {"d": 0.003}, dataset="other")
    pairs = compared(pd.concat([one, other]))
    assert len(pairs) == 9
    for test in TESTS:
        np.testing.assert_allclose(pairs[f"{test}_holm"], multipletests(pairs[test], method="holm")[1])
    ranked = pairs.sort_values("p")
    by_hand = np.maximum.accumulate(ranked["p"].to_numpy() * np.arange(9, 0, -1)).clip(max=1)
    np.testing.assert_allclose(ranked["p_holm"], by_hand)


def test_tables_that_are_corrected_together_are_one_family() -> None:
    one, other = (compare_members(scores({"a": 0.0, "b": gain, "c": 0.0})) for gain in (0.001, 0.002))
    together = pd.concat(correct(one, other))
    np.testing.assert_allclose(together["p_holm"], multipletests(together["p"], method="holm")[1])


def test_a_table_without_a_row_stays_one() -> None:
    pairs, nothing = correct(compare_members(scores({"a": 0.0, "b": 0.1})), pd.DataFrame())
    assert (len(pairs), len(nothing)) == (1, 0)
    assert correct(pd.DataFrame())[0].empty


def test_a_subject_counts_once_however_many_cases_it_has() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    twice = pd.concat([table, table[table["subject"] == "s0"].assign(case="again")])
    pd.testing.assert_frame_equal(compared(table), compared(twice))


def test_the_order_of_the_rows_does_not_matter() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    shuffled = table.groupby("model", group_keys=False)[table.columns.tolist()].sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compared(table), compared(shuffled))


@pytest.mark.parametrize("order", ["bac", "cba", "cab"])
def test_verdicts_do_not_depend_on_the_order_of_the_members(order: str) -> None:
    gains = {"a": 0.0, "b": 0.02, "c": 0.0201}
    table = scores(gains)
    turned = pd.concat([table[table["model"] == name] for name in order])
    first, second = verdicts(compared(table)), verdicts(compared(turned))
    for model, against in (("a", "b"), ("b", "c"), ("c", "a")):
        assert first["d", "e", model, against] == second["d", "e", model, against]


def test_members_are_compared_on_the_seeds_that_both_have() -> None:
    table = scores({"a": 0.0, "b": 0.01})
    pairs = compared(table[(table["model"] != "b") | (table["seed"] != 2)])
    assert pairs["seeds"].iloc[0] == 3


def test_a_head_is_held_against_the_same_network_trained_alone() -> None:
    outputs = {
        "unet++ds": {"L1": 0.0, "L2": 0.05, "L4": 0.05, "ensemble": 0.05},
        "unet++ds:2": {"L1": 0.0, "L2": 0.0, "ensemble": 0.0},
        "unet++:2": {"L2": 0.0},
        "unet:2": {"L2": 0.0},
    }
    table = pd.concat([heads(gains, model, noise=0.001) for model, gains in outputs.items()])
    (found,) = correct(compare_isolated(table, 4))
    assert found[["model", "output", "against", "verdict"]].to_numpy().tolist() == [
        ["unet++ds", "L2", "unet++ds:2", "better"],
        ["unet++ds", "L2", "unet++:2", "better"],
    ]


def test_networks_of_other_libraries_have_no_part_that_was_trained_alone() -> None:
    table = pd.concat([heads({"L4": 0.0}), heads({"L2": 0.0}, model="smp:Unet:2")])
    assert compare_isolated(table, 4).empty


def test_the_grid_of_a_member_is_seeds_by_subjects() -> None:
    assert grid(scores({"a": 0.0}, seeds=3, subjects=5)).shape == (3, 5)


def test_a_case_that_one_member_lacks_is_taken_from_the_other_too() -> None:
    table = scores({"a": 0.0, "b": 0.0}, noise=0.001)
    hard = table[table["subject"] == "s0"].assign(case="hard", iou=lambda rows: rows["iou"] - 0.5)
    without = hard[hard["model"] != "b"]
    pd.testing.assert_frame_equal(compared(pd.concat([table, without])), compared(table))


def test_members_without_a_case_in_common_are_not_compared() -> None:
    table = scores({"a": 0.0, "b": 0.0})
    own = table["model"] == "b"
    other = table.assign(case=table["case"].where(~own, table["case"] + "'"))
    row = compared(other[~(own & (other["case"] == "s1'"))]).iloc[0]
    assert (row["verdict"], row["seeds"], row["subjects"]) == ("not separable", 0, 0)
    assert row["reason"] == "fewer than three seeds in common"

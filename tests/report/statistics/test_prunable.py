import numpy as np
import pandas as pd
import pytest
from fake_scores import heads
from scipy import stats

from nestbench.report.statistics.pruning import prunable


def cases(validation: dict[str, float], test: dict[str, float], model: str = "unet++ds", **changes: float):
    sides = (("validation", validation), ("test", test))
    return pd.concat([heads(gains | {"L4": 0.0}, model, side, **({"noise": 0.002} | changes)) for side, gains in sides])


def test_the_shallowest_head_that_is_not_inferior_is_chosen_on_validation_and_confirmed_on_test() -> None:
    same = {"L1": -0.05, "L2": 0.0, "L3": 0.0}
    found = prunable(cases(same, same)).set_index("output")
    assert found["chosen"].to_dict() == {"L1": False, "L2": True, "L3": False}
    assert found["confirmed"].to_dict() == {"L1": False, "L2": True, "L3": False}
    assert found["deepest"].unique().tolist() == ["L4"]


def test_a_depth_that_validation_chose_in_vain_is_not_confirmed() -> None:
    found = prunable(cases({"L2": 0.0, "L3": 0.0}, {"L2": -0.05, "L3": 0.0})).set_index("output")
    assert found.loc["L2", "chosen"]
    assert not found["confirmed"].any()


def test_the_test_cases_have_no_part_in_the_choice() -> None:
    tables = [prunable(cases({"L2": -0.05, "L3": 0.0}, {"L2": gain, "L3": gain})) for gain in (0.0, 0.1, -0.1)]
    assert all(table["chosen"].tolist() == [False, True] for table in tables)


def test_a_head_above_one_that_failed_is_not_tried() -> None:
    found = prunable(cases({"L2": 0.02, "L3": -0.05}, {"L2": 0.02, "L3": 0.0}))
    assert not found["chosen"].any()


def test_a_wider_margin_prunes_further() -> None:
    table = cases({"L2": -0.01, "L3": 0.0}, {"L2": -0.01, "L3": 0.0})
    assert prunable(table, 0.005).set_index("output").loc["L3", "chosen"]
    assert prunable(table, 0.03).set_index("output").loc["L2", "confirmed"]


def test_confirmations_are_corrected_over_all_networks_also_those_that_chose_nothing() -> None:
    near, other, none = {"L3": -0.002}, {"L3": -0.001}, {"L3": -0.05}
    names = {"unet++ds": near, "unet+ds": other, "unet-e": none}
    found = prunable(pd.concat([cases(gains, gains, model) for model, gains in names.items()]))
    p = found["p_test"].to_numpy()
    assert found["chosen"].tolist() == [True, True, False]
    np.testing.assert_allclose(
        found["p_test_holm"], [*(3 * min(p[:2]), 2 * max(p[:2]))[:: 1 if p[0] < p[1] else -1], np.nan]
    )


def test_where_seeds_agree_the_bound_is_the_one_sided_t_interval() -> None:
    table = cases({"L3": 0.0}, {"L3": 0.0}, seeds=1)
    thrice = pd.concat([table.assign(seed=seed) for seed in range(3)])
    wide = thrice[thrice["split"] == "test"].pivot_table(index="subject", columns="output", values="iou")
    difference = (wide["L3"] - wide["L4"]).to_numpy()
    row = prunable(thrice).iloc[0]
    assert row["p_test"] == pytest.approx(stats.ttest_1samp(difference, -0.005, alternative="greater").pvalue)
    reach = stats.t.isf(0.05, len(difference) - 1) * stats.sem(difference)
    assert row["test_low"] == pytest.approx(difference.mean() - reach)


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_or_two_choose_nothing(seeds: int) -> None:
    found = prunable(cases({"L3": 0.1}, {"L3": 0.1}, seeds=seeds))
    assert found["p_validation"].isna().all()
    assert not found[["chosen", "confirmed"]].any(axis=None)


def test_networks_with_one_head_have_no_row() -> None:
    assert prunable(heads({"L4": 0.0}, "unet")).empty

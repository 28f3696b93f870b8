from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nestbench.report import ledgers
from nestbench.report.costs import by_class, costs
from nestbench.report.gains import BUCKETS, NO_OBJECT, case_gains, gains_by_size, mean_gains
from nestbench.report.gather import Evidence
from nestbench.report.statistics.crossed import interval, moments

Make = Callable[..., Evidence]


def test_a_gain_is_the_difference_to_the_reference_on_the_same_seed_and_case(evidence: Evidence) -> None:
    gains = case_gains(evidence).set_index(["model", "seed", "case"])["difference"]
    scores = evidence.primary_cases.set_index(["model", "seed", "case"])["iou"]
    for key in (("unet++", 1, "case-005"), ("unet-e", 0, "case-011")):
        assert gains[key] == pytest.approx(scores[key] - scores["unet", *key[1:]])
    assert "unet" not in gains.index.get_level_values("model")


def test_groups_of_cases_by_size_hold_every_case_once(evidence: Evidence) -> None:
    sizes = gains_by_size(case_gains(evidence))
    own = sizes[sizes["model"] == "unet++"]
    assert own["cases"].sum() == 24
    assert len(own) <= BUCKETS + 1
    assert own["size"].iloc[-1] == NO_OBJECT
    assert own["cases"].iloc[-1] == 3
    means = mean_gains(case_gains(evidence)).query("model == 'unet++'")["difference"]
    assert np.average(own["difference"], weights=own["cases"]) == pytest.approx(means.mean())


def test_the_interval_of_a_group_is_that_of_the_test_which_decides(evidence: Evidence) -> None:
    gains = case_gains(evidence)
    row = gains_by_size(gains).query("model == 'unet++'").iloc[-1]
    own = gains[(gains["model"] == "unet++") & gains["diameter"].isna()]
    table = own.pivot_table(index="seed", columns="subject", values="difference").to_numpy()
    assert (row["low"], row["high"]) == pytest.approx(interval(moments(table)))


def test_without_sizes_no_group_is_made(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=2)
    none = pd.DataFrame({"dataset": [], "case": [], "diameter": []}).astype({"dataset": "str", "case": "str"})
    assert gains_by_size(case_gains(replace(evidence, sizes=none))).empty


def test_one_member_has_nothing_to_gain(make_evidence: Make) -> None:
    assert case_gains(make_evidence(models=("unet",), seeds=2)).empty


def test_costs_count_the_cases_that_training_saw(evidence: Evidence) -> None:
    row = costs(evidence).set_index("model").loc["unet"]
    assert row["seconds"] == 300
    assert row["cases_per_second"] == pytest.approx(60 * row["epochs"] / 300)
    speed = evidence.speed[(evidence.speed["model"] == "unet") & (evidence.speed["output"] == "L4")]
    assert row["images_per_second"] == pytest.approx(1000 / speed["median_ms"].iloc[0])


def test_the_seconds_of_a_run_are_told_apart(evidence: Evidence) -> None:
    table = costs(evidence)
    assert table["feeding"].to_numpy() == pytest.approx(0.01)
    assert table["validating"].to_numpy() == pytest.approx(0.08)
    assert set(table["testing"]) == {12.0}
    assert "in which training waited for its batches, and looked" in ledgers.costs(table, 4, "cpu")["caption"]
    assert "what augmentation takes of a GPU" in ledgers.costs(table, 4, "cuda")["caption"]


def test_a_cell_with_an_older_run_does_not_tell_the_parts_of_its_time_and_a_study_of_them_has_no_such_columns(
    evidence: Evidence,
) -> None:
    parts = ["feeding", "validating"]
    epochs, runs = evidence.epochs.copy(), evidence.runs.copy()
    for table in (epochs, runs):
        first = (table["model"] == "unet") & (table["seed"] == 0)
        table.loc[first, [name for name in (*parts, "testing") if name in table]] = None
    mixed = costs(replace(evidence, epochs=epochs, runs=runs))
    told = mixed.set_index("model")[[*parts, "testing"]]
    assert told.loc["unet"].isna().all()
    assert told.drop("unet").notna().all(axis=None)
    older = replace(evidence, epochs=epochs.drop(columns=parts), runs=runs.assign(testing=None))
    sheets = [ledgers.costs(table, 4, "cpu") for table in (costs(evidence), mixed, costs(older))]
    assert [len(sheet["columns"]) for sheet in sheets] == [9, 9, 6]
    for sheet in sheets:
        assert {len(row) for group in sheet["groups"] for row in group["rows"]} == {len(sheet["columns"])}
    assert "Data and validation" not in sheets[-1]["caption"]


def test_where_the_study_says_how_many_windows_an_epoch_shows_it_is_those_that_are_counted(evidence: Evidence) -> None:
    (spec,) = evidence.study.datasets
    drawn = evidence.study.model_copy(update={"datasets": (spec.model_copy(update={"samples": 240}),)})
    seen, less = (costs(replace(evidence, study=s))["cases_per_second"] for s in (drawn, evidence.study))
    assert (seen / less).to_numpy() == pytest.approx(240 / 60)


def test_peak_memory_is_the_middle_of_the_seeds_and_told_by_what_it_was_measured_on(evidence: Evidence) -> None:
    table = costs(evidence)
    runs = evidence.done[evidence.done["model"] == "unet"]
    assert table.set_index("model").loc["unet", "memory"] == runs["memory"].astype(float).median()
    assert "resident memory" in ledgers.costs(table, 4, "cpu")["caption"]
    assert "torch's allocator" in ledgers.costs(table, 4, "cuda")["caption"]


def test_a_network_with_several_heads_is_timed_whole(evidence: Evidence) -> None:
    row = costs(evidence).set_index("model").loc["unet++ds"]
    speed = evidence.speed[(evidence.speed["model"] == "unet++ds") & (evidence.speed["output"] == "all")]
    assert row["images_per_second"] == pytest.approx(1000 / speed["median_ms"].iloc[0])


def test_each_class_has_its_scores_where_there_are_several(make_evidence: Make, evidence: Evidence) -> None:
    several = make_evidence(models=("unet",), seeds=2, classes=("background", "cell", "border"))
    table = by_class(several)
    assert table["label"].tolist() == ["cell", "border"]
    assert table["iou"].mean() == pytest.approx(several.primary_cases["iou"].mean())
    assert by_class(evidence).empty

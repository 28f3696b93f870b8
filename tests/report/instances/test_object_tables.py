from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_objects import BLUR, MODELS, outputs, write_fake_objects

from nestbench.report.chapters import Tables, make_tables
from nestbench.report.gather import Evidence, gather
from nestbench.results.instance_scores import SIZES, THRESHOLDS
from nestbench.results.records import read_result


@pytest.fixture(scope="module")
def evidence(objects: Path) -> Evidence:
    return gather(objects)


@pytest.fixture(scope="module")
def numbers(evidence: Evidence) -> Tables:
    return make_tables(evidence)


def test_the_main_table_has_each_way_of_each_network_with_what_its_runs_say(objects: Path, numbers: Tables):
    main = numbers["members"]
    assert list(zip(main["model"], main["output"], strict=True)) == [(m, o) for m in MODELS for o in outputs(m)]
    for row in main.itertuples():
        runs = [read_result(path).scores[row.output] for path in sorted(objects.glob(f"*/*/{row.model}/seed-*"))]
        assert len(runs) == 3
        for metric in ("score", "pq", "aji", "iou", "dice", "ap", "ap50", "ap75"):
            values = [run[metric] for run in runs]
            assert getattr(row, metric) == pytest.approx(np.mean(values))
            assert getattr(row, f"{metric}_sd") == pytest.approx(np.std(values, ddof=1))
        assert row.low <= row.score <= row.high


def test_networks_are_compared_by_the_score_of_what_they_are_judged_by(evidence: Evidence, numbers: Tables):
    main = numbers["members"].query("primary").set_index("model")
    assert set(main["output"]) == {"watershed", "masks"}
    pairs = numbers["comparisons"]
    assert len(pairs) == len(MODELS) * (len(MODELS) - 1) // 2
    for row in pairs.itertuples():
        assert row.difference == pytest.approx(main.loc[row.model, "score"] - main.loc[row.against, "score"])
    assert main.loc["maskrcnn++", "verdict"] == "better"
    assert BLUR["maskrcnn++"] < BLUR["unet"]


def test_score_is_the_mean_over_the_thresholds(numbers: Tables):
    table = numbers["thresholds"]
    assert table["threshold"].unique().tolist() == list(THRESHOLDS)
    main = numbers["members"].query("primary").set_index("model")["score"]
    assert table.groupby("model")["score"].mean().to_dict() == pytest.approx(main.to_dict())


def test_sizes_are_of_all_true_objects_from_small_to_large(evidence: Evidence, numbers: Tables):
    table = numbers["sizes"]
    for _, own in table.groupby("model"):
        assert own["size"].tolist() == [size for size in SIZES if size in set(own["size"])]
    truth = evidence.cases[(evidence.cases["split"] == "test") & (evidence.cases["seed"] == 0)]
    assert truth["case"].nunique() == 6
    assert len(set(table.groupby("model")["true"].sum())) == 1
    assert table[["score", "found_50", "best_iou"]].to_numpy().min() >= 0


def test_the_papers_numbers_stand_beside_each_way_of_its_own_networks(numbers: Tables):
    table = numbers["paper"]
    assert table["model"].tolist() == ["unet", "unet", "unet++", "unet++", "maskrcnn", "maskrcnn++"]
    assert table[["paper_iou", "paper_dice", "paper_score"]].drop_duplicates().to_numpy().tolist() == [
        [0.9103, 0.7573, 0.244],
        [0.9255, 0.8974, 0.327],
        [0.9328, 0.8791, 0.401],
        [0.9510, 0.9136, 0.414],
    ]
    assert "trials" in numbers["protocol"]["what"].tolist()


def test_what_each_run_chose_on_validation_is_told(numbers: Tables):
    table = numbers["ways"].set_index(["model", "output"])
    assert table.loc[("maskrcnn", "masks"), "least"].tolist() == [0.7, 0.9, 0.7]
    assert (
        table.loc[("unet", "watershed"), ["threshold", "smooth", "apart", "smallest"]].to_numpy().tolist()
        == [[0.3, 1, 4, 5]] * 3
    )
    assert table.loc[("unet", "components"), ["least", "smooth", "apart"]].isna().to_numpy().all()


def test_speed_is_of_an_image_and_left_out_where_it_was_not_measured(numbers: Tables, tmp_path: Path):
    assert len(numbers["speed"]) == sum(len(outputs(model)) for model in MODELS)
    bare = make_tables(gather(write_fake_objects(tmp_path, cases=3, seeds=1, speed=False)))
    assert "speed" not in bare
    assert bare["comparisons"]["p"].isna().all()
    assert isinstance(bare["members"], pd.DataFrame)

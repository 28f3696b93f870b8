import csv
from collections.abc import Callable
from importlib.resources import files

import pytest

from nestbench.report import ledgers
from nestbench.report.chapters import make_tables
from nestbench.report.gather import Evidence
from nestbench.report.paper import PROTOCOL
from nestbench.topology import topology

Make = Callable[..., Evidence]


def test_the_papers_numbers_are_of_data_sets_whose_protocol_is_known_and_of_members() -> None:
    with files("nestbench.report").joinpath("paper.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["dataset"] for row in rows} == set(PROTOCOL)
    assert len({(row["dataset"], row["model"]) for row in rows}) == len(rows)
    for row in rows:
        assert topology(row["model"], 4).depth <= 4
        assert 70 < float(row["iou"]) < 95
        assert 0 < float(row["sd"]) < 5


def test_ours_stand_beside_the_papers_by_the_same_metric(make_evidence: Make) -> None:
    numbers = make_tables(
        make_evidence(models=("unet", "unet++ds"), seeds=2, datasets=("nuclei", "lung-nodule", "cell"))
    )
    paper, main = (numbers[name].set_index(["dataset", "model"]) for name in ("paper", "members"))
    assert set(paper.index) == {(d, m) for d in ("nuclei", "lung-nodule") for m in ("unet", "unet++ds")}
    row = paper.loc["nuclei", "unet++ds"]
    assert (row["paper_iou"], row["paper_iou_sd"]) == pytest.approx((0.9237, 0.0098))
    assert row["ours"] == main.loc["nuclei", "unet++ds"]["iou"]
    nodule = paper.loc["lung-nodule", "unet"]
    assert nodule["metric"] == "mean_iou_thresholds"
    assert nodule["ours"] == main.loc["lung-nodule", "unet"]["mean_iou_thresholds"]


def test_the_caption_does_not_say_that_the_papers_iou_is_ours(make_evidence: Make) -> None:
    (block,) = ledgers.printed(make_tables(make_evidence(models=("unet",), seeds=1))["paper"], 4)
    assert "ours as foreground IoU at 0.5; the paper does not define its IoU." in block["caption"]
    assert "both" not in block["caption"]
    assert "order" not in block["caption"]


def test_what_differs_is_said_of_each_data_set_of_the_paper(make_evidence: Make) -> None:
    protocol = make_tables(make_evidence(models=("unet",), seeds=2, datasets=("em", "cell")))["protocol"]
    assert set(protocol["dataset"]) == {"em"}
    assert dict(zip(protocol["what"], protocol["here"], strict=True))["trials"] == "2 seeds"


def test_other_data_are_not_set_beside_the_papers(make_evidence: Make) -> None:
    assert "paper" not in make_tables(make_evidence(models=("unet",), seeds=1, datasets=("synthetic",)))

import json
from pathlib import Path

import pytest
from fake_objects import write_fake_objects

from nestbench.report.names import TIMES
from nestbench.report.pages import build_report
from nestbench.report.reread import read_content


@pytest.fixture(scope="module")
def pdf(objects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report([objects], tmp_path_factory.mktemp("pdf") / "objects.pdf")


def test_the_report_says_all_that_was_found_of_objects(pdf: Path):
    chapter = read_content(pdf)["chapters"][0]
    headings = [block["text"] for block in chapter["blocks"] if block["kind"] == "heading"]
    wanted = ["Results", "Comparisons", "Score and threshold", "Size of the objects", "Costs", "Cases", "Limits"]
    assert [name for name in headings if name in wanted] == wanted
    assert "points of test Score" in chapter["answers"][0]
    said = json.dumps(chapter, ensure_ascii=False)
    for words in (
        "Mask RCNN++",
        "arXiv 1912.05074",
        f"2 {TIMES} IoU / (1 + IoU)",
        "ms an image",
        "validation Score",
        "0.7, 0.9, 0.7",
    ):
        assert words in said
    assert "0.7, 0.9, 0.7" in said
    assert "nan" not in said


def test_the_tables_lie_beside_it(pdf: Path):
    names = {path.stem for path in (pdf.parent / "objects-tables").iterdir()}
    assert {"members", "comparisons", "paper", "protocol", "thresholds", "sizes", "speed", "costs"} <= names


def test_the_same_results_give_the_same_bytes(objects: Path, pdf: Path):
    assert build_report([objects], pdf.parent / "again.pdf").read_bytes() == pdf.read_bytes()


def test_a_study_of_one_seed_and_without_speed_says_so(tmp_path: Path):
    folder = write_fake_objects(tmp_path, cases=3, seeds=1, speed=False)
    said = json.dumps(read_content(build_report([folder], tmp_path / "one.pdf")))
    assert "How long an image takes was not measured in this study." in said
    assert "fewer than three seeds in common" in said

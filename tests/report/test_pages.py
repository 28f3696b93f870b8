import csv
import gc
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typst
from fake_numbers import Fake
from fake_results import write_fake
from PIL import Image

from nestbench.errors import RequestError
from nestbench.report.blocks import code
from nestbench.report.chapters import Tables, make_tables
from nestbench.report.figures import plates
from nestbench.report.figures.style import FONTS
from nestbench.report.gather import Evidence, gather
from nestbench.report.names import title
from nestbench.report.pages import build_report, compose
from nestbench.report.printing import made_with, typeset
from nestbench.study.files import dump_study

Make = Callable[..., Evidence]

DPI = 40


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PDF of a study whose question looks like markup."""
    folder = write_fake(tmp_path_factory.mktemp("built"), Fake(models=("unet", "unet++ds"), seeds=2, cases=4))
    question = "Does #panic() or $x$ or *this* or [that] break \\ it?"
    study = gather(folder).study.model_copy(update={"question": question})
    (folder / "study.yaml").write_text(dump_study(study))
    return build_report([folder], folder.parent / "out.pdf")


def pages(evidence: Evidence, numbers: Tables, build: Path) -> list[np.ndarray]:
    """The typeset pages as grey images."""
    return pages_of(compose([evidence], [numbers], build), build)


def pages_of(content: dict[str, Any], build: Path) -> list[np.ndarray]:
    """A report's content as grey images of its pages."""
    typeset(content, build, build / "out.pdf")
    drawn = typst.compile(
        build / "report.typ", root=build, font_paths=[FONTS], ignore_system_fonts=True, format="png", ppi=DPI
    )
    return [np.asarray(Image.open(io.BytesIO(page)).convert("L")) for page in drawn]


def test_the_same_results_give_the_same_pdf_wherever_they_lie(built: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(built.parent / "fake-nuclei", tmp_path / "fake-nuclei")
    assert built.read_bytes().startswith(b"%PDF")
    assert build_report([folder], tmp_path / "other.pdf").read_bytes() == built.read_bytes()


def test_what_a_report_was_made_with_is_what_the_package_needs_to_run() -> None:
    needed = {re.split(r"[^\w-]", line)[0] for line in requires("nestbench") or () if "extra ==" not in line}
    assert set(made_with()) - {"nestbench"} <= needed


@pytest.mark.parametrize("models", [("unet++ds",), ("unet++ds", "unet++ds:2")])
def test_hollow_markers_are_explained_where_they_are_drawn(
    make_evidence: Make, tmp_path: Path, models: tuple[str, ...]
) -> None:
    evidence = make_evidence(models=models, seeds=1)
    (block, *_) = plates.depth_plates(
        evidence, make_tables(evidence)["depths"], pd.DataFrame({"dataset": []}), tmp_path
    )
    assert ("hollow marker" in block["caption"]) == (len(models) == 2)


def test_every_table_lies_as_csv_beside_the_pdf(built: Path) -> None:
    written = {path.name: path for path in (built.parent / "out-tables").iterdir()}
    names = "members", "comparisons", "depths", "paper", "protocol", "cases", "pruning", "costs"
    assert set(written) == {f"{name}.csv" for name in names}
    with written["comparisons.csv"].open() as file:
        assert [(row["model"], row["against"]) for row in csv.DictReader(file)] == [("unet++ds", "unet")]


def test_the_parts_of_the_report_stand_in_their_order(evidence: Evidence, numbers: Tables, tmp_path: Path) -> None:
    (content,) = compose([evidence], [numbers], tmp_path)["chapters"]
    assert content["title"] == "fake-nuclei"
    assert content["question"] == evidence.study.question
    assert len(content["answers"]) == 1
    assert [block["text"] for block in content["blocks"] if block["kind"] == "heading"] == [
        "Results",
        "What was run",
        "Comparisons",
        "Accuracy and parameters",
        "Pruning",
        "Costs",
        "Where networks differ",
        "Learning curves",
        "Cases",
        "Limits",
        "Runs that are missing",
        "Data",
        "Machine and versions",
        "The study, every default written out",
    ]
    drawn = [block["file"] for block in content["blocks"] if block["kind"] == "figure"]
    assert [name.split("-")[2].removesuffix(".svg") for name in drawn] == [
        "grids",
        "parameters",
        "time",
        "depth",
        "cases",
        "sizes",
        "curves",
        "overlays",
        "heads",
        "heads",
        "heads",
    ]
    assert all((tmp_path / name).exists() for name in drawn)
    assert content["blocks"][-1] == {"kind": "code", "text": evidence.text}


def test_results_that_kept_no_heads_and_no_memory_say_so(evidence: Evidence, tmp_path: Path) -> None:
    older = replace(evidence, heads={}, runs=evidence.runs.assign(memory=None))
    (content,) = compose([older], [make_tables(older)], tmp_path)["chapters"]
    said = json.dumps(content)
    assert "What single heads found in these cases was not kept when these runs were made" in said
    assert "Peak memory of training was not recorded when these runs were made" in said
    assert "peak memory" not in said


def test_whose_heads_were_not_kept_is_named_where_others_were(evidence: Evidence, tmp_path: Path) -> None:
    (lost, *kept) = evidence.heads
    some = replace(evidence, heads={key: evidence.heads[key] for key in kept})
    (content,) = compose([some], [make_tables(some)], tmp_path)["chapters"]
    dataset, encoder, model = lost
    said = json.dumps(content, ensure_ascii=False)
    assert f"What single heads of {title(model, evidence.study.depth)} on {dataset}, {encoder}, found" in said
    (whole,) = compose([evidence], [make_tables(evidence)], tmp_path)["chapters"]
    assert "What single heads" not in json.dumps(whole)


def test_a_report_leaves_the_collector_of_garbage_as_it_was(results: Path, tmp_path: Path) -> None:
    before = gc.get_threshold()
    with pytest.raises(RequestError):
        build_report([tmp_path / "nothing"], tmp_path / "report.pdf")
    assert gc.get_threshold() == before


def test_a_wide_study_with_long_names_stays_within_the_margins(
    wide: Evidence, wide_numbers: Tables, tmp_path: Path
) -> None:
    drawn = pages(wide, wide_numbers, tmp_path)
    margin = int(2.0 / 2.54 * DPI)
    assert len(drawn) > 5
    for page in drawn:
        assert page[:, :margin].min() == 255
        assert page[:, -margin:].min() == 255
        assert page[-margin // 2 :].min() == 255


@pytest.mark.parametrize("lines", [60, 100, 130])
def test_a_study_file_of_long_lines_does_not_run_off_the_page(lines: int, tmp_path: Path) -> None:
    text = "\n".join(f"- name: {number:03} {'of a long folder ' * 5}" for number in range(lines))
    chapter = {"title": "a", "question": "b", "notice": "", "answers": [], "blocks": [code(text)]}
    content = {"title": "a", "chapters": [chapter], "seals": {}, "made_with": made_with()}
    for page in pages_of(content, tmp_path):
        assert page[-int(0.9 / 2.54 * DPI) :].min() == 255


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("unet",), "seeds": 1, "cases": 4},
        {"models": ("smp:Unet", "smp:FPN:5"), "seeds": 1, "cases": 4},
        {"models": ("unet", "unet-e"), "seeds": 1, "speed": False, "classes": ("background", "cell", "border")},
    ],
    ids=["one member and one seed", "no member of the family", "three classes without speed"],
)
def test_whatever_is_finished_makes_a_report(make_evidence: Make, tmp_path: Path, changes: dict[str, object]) -> None:
    evidence = make_evidence(**changes)
    assert len(pages(evidence, make_tables(evidence), tmp_path)) > 2


def test_what_was_not_measured_and_what_failed_is_said(make_evidence: Make, tmp_path: Path) -> None:
    evidence = make_evidence(models=("unet", "unet++"), failed=("unet/seed-0",), speed=False)
    (content,) = compose([evidence], [make_tables(evidence)], tmp_path)["chapters"]
    blocks = content["blocks"]
    assert content["notice"].startswith("Not finished: 5 of 6 runs are done, 1 failed.")
    assert {"kind": "paragraph", "text": "Speed was not measured in this study.", "lead": ""} in blocks
    missing = blocks[blocks.index({"kind": "heading", "text": "Runs that are missing"}) + 1]
    assert missing["groups"][0]["rows"] == [["U-Net", "0", "failed", "the loss was not finite in epoch 7"]]


def test_a_study_without_a_finished_run_has_no_report(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), failed=("unet",)))
    with pytest.raises(RequestError, match="nothing to report"):
        build_report([folder], tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()


def test_a_report_is_built_without_torch_and_optuna() -> None:
    code = "import sys, nestbench.report.pages; sys.exit(bool({'torch', 'optuna', 'timm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from nestbench.report.cautions import cautions, half_done
from nestbench.report.gather import Evidence

Make = Callable[..., Evidence]


def said(evidence: Evidence) -> str:
    return "\n".join(block["text"] for block in cautions(evidence))


def test_a_finished_study_has_no_notice_and_one_with_gaps_counts_them(make_evidence: Make) -> None:
    assert half_done(make_evidence(models=("unet",), seeds=1)) == ""


def test_what_is_missing_is_counted(make_evidence: Make) -> None:
    notice = half_done(make_evidence(models=("unet", "unet++"), seeds=2, failed=("unet/seed-0", "unet++")))
    assert notice.startswith("Not finished: 1 of 4 runs are done, 3 failed.")
    assert "1 network of the study" in notice


def test_few_seeds_and_few_subjects_are_said(make_evidence: Make) -> None:
    text = said(make_evidence(models=("unet",), seeds=3, cases=6))
    assert "Few seeds: 3. Other seeds may order close networks differently." in text
    assert "Few test subjects: 6 of nuclei." in text


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_seed_or_two_allow_no_test(make_evidence: Make, seeds: int) -> None:
    text = said(make_evidence(models=("unet",), seeds=seeds))
    assert f"Few seeds: {seeds}. With fewer than three no test of a network is made" in text


def test_enough_seeds_and_subjects_need_no_caution(make_evidence: Make) -> None:
    assert said(make_evidence(models=("unet",), seeds=5, cases=24)) == ""


def test_empty_cases_are_counted_with_their_policy(make_evidence: Make) -> None:
    evidence = replace(make_evidence(models=("unet",), seeds=5, cases=24), empty={"nuclei": (3, 24)})
    assert "3 of the 24 test cases of nuclei show no object at all" in said(evidence)


def test_a_case_that_one_member_lacks_is_said(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=5, cases=24)
    lacks = (evidence.cases["model"] == "unet++") & (evidence.cases["case"] == "case-000")
    text = said(replace(evidence, cases=evidence.cases[~lacks]))
    assert "Not every run was tested on all 24 cases of nuclei (UNet++ with timm:resnet18)" in text


def test_batches_in_parts_are_said(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=5, cases=24)
    runs = evidence.runs.assign(parts=evidence.runs["parts"].mask(evidence.runs["model"] == "unet++", 4))
    assert "UNet++ on nuclei with timm:resnet18 (4 parts)" in said(replace(evidence, runs=pd.DataFrame(runs)))

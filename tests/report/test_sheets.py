from collections.abc import Callable
from typing import Any

import pytest

from nestbench.report import sheets
from nestbench.report.chapters import Tables, make_tables
from nestbench.report.gather import Evidence

Make = Callable[..., Evidence]


def sheet_rows(block: dict[str, Any]) -> list[list[Any]]:
    return [row for group in block["groups"] for row in group["rows"]]


@pytest.mark.parametrize("name", ["members", "comparisons", "depths"])
def test_every_row_is_as_long_as_the_head(numbers: Tables, name: str) -> None:
    table = numbers[name]
    block = {
        "members": lambda: sheets.members(table, 4, 3),
        "comparisons": lambda: sheets.comparisons(table, 4),
        "depths": lambda: sheets.depths(table, 4, "cpu"),
    }[name]()
    assert {len(row) for row in sheet_rows(block)} == {len(block["columns"])}
    assert len(sheet_rows(block)) == len(table)


def test_bold_is_kept_for_the_one_that_is_better_than_every_other(make_evidence: Make) -> None:
    table = make_tables(make_evidence(models=("unet", "unet++ds"), cases=40))["members"]
    first, second = sheet_rows(sheets.members(table, 4, 3))
    assert first[0] == "U-Net"
    assert second[0] == {"text": "UNet++ DS", "bold": True}


def test_captions_say_what_is_no_test_and_what_is_corrected_together(numbers: Tables) -> None:
    assert "drawn again; it is not a test" in sheets.members(numbers["members"], 4, 3)["caption"]
    assert (
        "Holm's method over all comparisons of the study." in sheets.comparisons(numbers["comparisons"], 4)["caption"]
    )


def test_nothing_is_bold_where_nobody_is(make_evidence: Make) -> None:
    table = make_tables(make_evidence(models=("unet", "wide-unet"), seeds=2))["members"]
    assert all(isinstance(cell, str) for row in sheet_rows(sheets.members(table, 4, 2)) for cell in row)


def test_a_member_with_fewer_seeds_says_so(make_evidence: Make) -> None:
    numbers = make_tables(make_evidence(models=("unet", "unet++"), failed=("unet++/seed-1",)))
    assert sheet_rows(sheets.members(numbers["members"], 4, 3))[1][0] == "UNet++ (2 of 3 seeds)"
    assert "n: 2 seeds and 12 subjects of nuclei." in sheets.comparisons(numbers["comparisons"], 4)["caption"]


def test_a_network_of_another_library_is_whole(make_evidence: Make) -> None:
    table = make_tables(make_evidence(models=("smp:Unet",), seeds=1))["depths"]
    assert [row[:2] for row in sheet_rows(sheets.depths(table, 4, "cpu"))] == [["Unet (smp)", "whole"]]


def test_groups_are_the_panels_of_the_study(make_evidence: Make) -> None:
    table = make_tables(make_evidence(models=("unet",), seeds=1, encoders=("a", "b")))["members"]
    assert [group["title"] for group in sheets.members(table, 4, 1)["groups"]] == ["nuclei, a", "nuclei, b"]


def test_what_was_not_measured_is_a_dash(make_evidence: Make) -> None:
    table = make_tables(make_evidence(models=("unet",), seeds=1, speed=False))["depths"]
    block = sheets.depths(table, 4, "")
    assert sheet_rows(block)[0][4:] == ["\N{EN DASH}"] * 4
    assert "Times on" not in block["caption"]

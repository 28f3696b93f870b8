from pathlib import Path

import pytest

from nestbench.results.seal import seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("study.yaml", "nuclei/plain/unet/seed-0/result.json", "speed/cpu.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["study.yaml", "nuclei/plain/unet/seed-0/result.json", "speed/cpu.json"])
def test_a_file_that_changes_breaks_the_seal(folder: Path, name: str) -> None:
    before = seal(folder)
    (folder / name).write_text("other")
    assert seal(folder) != before


def test_a_run_that_ends_breaks_the_seal_and_one_that_is_at_work_does_not(folder: Path) -> None:
    before, other = seal(folder), folder / "nuclei/plain/unet/seed-1"
    other.mkdir()
    (other / "running.json").write_text("{}")
    assert seal(folder) == before
    (other / "result.json").write_text("{}")
    assert seal(folder) != before


def test_a_trial_of_a_search_is_no_part_of_what_a_report_reads(folder: Path) -> None:
    before, trial = seal(folder), folder / "nuclei/plain/unet/trial-000"
    trial.mkdir()
    (trial / "result.json").write_text("{}")
    assert seal(folder) == before

from pathlib import Path

import pytest
import yaml
from fake_numbers import Fake
from fake_results import write_fake

from nestbench.errors import RequestError
from nestbench.report.pages import build_report
from nestbench.report.reread import read_printed
from nestbench.report.verify import verify_report


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two studies, the second of them half done."""
    root = tmp_path_factory.mktemp("several")
    write_fake(root, Fake(models=("unet", "unet++"), seeds=2, cases=4, failed=("unet++",))).rename(root / "second")
    text = yaml.safe_load((root / "second" / "study.yaml").read_text())
    (root / "second" / "study.yaml").write_text(yaml.safe_dump(text | {"name": "second"}))
    write_fake(root, Fake(models=("unet", "unet++ds"), seeds=2, cases=4))
    return root


@pytest.fixture(scope="module")
def both(root: Path) -> Path:
    return build_report([root / "fake-nuclei", root / "second"], root / "both.pdf")


def test_the_first_page_answers_for_every_study_and_says_which_is_half_done(both: Path) -> None:
    printed = read_printed(both)
    assert [chapter["title"] for chapter in printed.content["chapters"]] == ["fake-nuclei", "second"]
    first = " ".join(" ".join(printed.pages[0]).split())
    assert "fake-nuclei and second" in first
    assert "Not finished: 2 of 4 runs are done, 2 failed." in first
    assert "1 network of the study, by data set and encoder, cannot be judged at all." in first


def test_tables_of_several_studies_lie_in_a_folder_each(both: Path) -> None:
    found = {path.relative_to(both.parent / "both-tables").as_posix() for path in both.parent.rglob("members.csv")}
    assert {"fake-nuclei/members.csv", "second/members.csv"} <= found


def test_a_report_of_several_studies_is_verified(both: Path, root: Path) -> None:
    found = verify_report(both, root)
    assert (found.studies, found.difference) == (("fake-nuclei", "second"), "")


def test_a_study_that_is_asked_for_twice_is_refused(root: Path) -> None:
    with pytest.raises(RequestError, match="the study 'second' is asked for twice"):
        build_report([root / "second", root / "second"], root / "twice.pdf")

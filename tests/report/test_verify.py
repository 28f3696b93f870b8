import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import typst
from fake_numbers import Fake
from fake_results import write_fake
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText, Link
from pypdf.generic import NameObject

from nestbench.errors import RequestError
from nestbench.report.pages import build_report
from nestbench.report.printing import made_with
from nestbench.report.reread import read_content, read_printed
from nestbench.report.verify import stale_studies, verify_report
from nestbench.results.atomic import write_json
from nestbench.results.records import read_result, write_result

Change = Callable[[Path], None]

RUN = Path("fake-nuclei/nuclei/timm-resnet18/unet++ds/seed-1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results and their report."""
    root = tmp_path_factory.mktemp("made")
    build_report([write_fake(root, Fake(models=("unet", "unet++ds"), seeds=2, cases=4))], root / "out.pdf")
    return root


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(made, tmp_path / "place")


def swap_words(pdf: Path, number: int) -> None:
    """Let two pieces of text of the first page change places, as an editor of PDFs would."""
    writer = PdfWriter(clone_from=pdf)
    page = writer.pages[0]
    content = page.get_contents()
    assert content is not None
    shown = [index for index, (_, operator) in enumerate(content.operations) if operator in (b"TJ", b"Tj")]
    one, other = shown[number : number + 2]
    steps = list(content.operations)
    steps[one], steps[other] = (steps[other][0], steps[one][1]), (steps[one][0], steps[other][1])
    content.operations = steps
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.write(pdf)


def longer(root: Path) -> None:
    result = read_result(root / RUN)
    assert result is not None
    write_result(root / RUN, replace(result, seconds=result.seconds * 3))


def test_a_report_of_these_results_is_verified(made: Path) -> None:
    found = verify_report(made / "out.pdf", made)
    assert (found.studies, found.stale, found.difference, found.unsure) == (("fake-nuclei",), (), "", "")
    assert found.tables == made / "out-tables"


def test_results_that_changed_make_the_report_stale_and_the_first_number_is_named(place: Path) -> None:
    longer(place)
    found = verify_report(place / "out.pdf", place)
    assert found.stale == ("fake-nuclei",) == stale_studies(place / "out.pdf", place)
    assert "(What a run took: training with" in found.difference
    assert (
        "row 'nuclei, timm:resnet18 UNet++ DS', column 'seconds a run': "
        "printed is '300 ± 0', the results give '600 ± 424'" in found.difference
    )


def test_a_number_that_was_changed_in_the_pdf_is_named_with_its_page(place: Path) -> None:
    swap_words(place / "out.pdf", 40)
    found = verify_report(place / "out.pdf", place)
    assert found.stale == ()
    assert found.difference.startswith("page 1, printed is '")


def test_a_drawing_that_was_changed_is_named_with_its_page(place: Path) -> None:
    writer = PdfWriter(clone_from=place / "out.pdf")
    page = writer.pages[1]
    content = page.get_contents()
    assert content is not None
    content.set_data(content.get_data() + b"\nq 0 0 m 300 300 l S Q\n")
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.write(place / "out.pdf")
    assert verify_report(place / "out.pdf", place).difference.startswith("page 2 is drawn otherwise")


def test_what_a_report_carries_cannot_be_changed_unseen(place: Path) -> None:
    content = read_content(place / "out.pdf")
    content["chapters"][0]["answers"][0] = "UNet++ is better than all others."
    writer = PdfWriter(clone_from=place / "out.pdf")
    for attached in writer.attachment_list:
        attached.content = json.dumps(content).encode()
    writer.write(place / "out.pdf")
    assert (
        "answer: printed is 'UNet++ is better than all others.'" in verify_report(place / "out.pdf", place).difference
    )


def test_a_report_of_other_versions_cannot_be_verified_and_they_are_named(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = made_with() | {"nestbench": "0.0.9", "matplotlib": "1.0"}
    monkeypatch.setattr("nestbench.report.pages.made_with", lambda: older)
    build_report([place / "fake-nuclei"], place / "old.pdf")
    monkeypatch.undo()
    found = verify_report(place / "old.pdf", place)
    # The version stands in the metadata; all that is printed is the same.
    assert found.difference == ""
    assert f"(nestbench 0.0.9, here {made_with()['nestbench']}; matplotlib 1.0, here " in found.unsure
    assert "numpy" not in found.unsure


def covered(writer: PdfWriter) -> None:
    """A white box over half a page."""
    page = writer.pages[1]
    content = page.get_contents()
    assert content is not None
    content.set_data(content.get_data() + b"\nq 1 1 1 rg 0 300 600 400 re f Q\n")
    page[NameObject("/Contents")] = writer._add_object(content)


def stamped(writer: PdfWriter) -> None:
    """Another number over a number."""
    writer.add_annotation(0, FreeText(text="99.99", rect=(150, 500, 200, 512), background_color="ffffff"))


@pytest.mark.parametrize(
    ("change", "said"),
    [(covered, ""), (stamped, "page 1 has an annotation of the kind 'FreeText' laid over it")],
    ids=["covered", "stamped"],
)
def test_what_a_report_says_of_its_makers_excuses_nothing(
    place: Path, change: Callable[[PdfWriter], None], said: str
) -> None:
    content = read_content(place / "out.pdf")
    content["made_with"]["numpy"] = "0.1"
    writer = PdfWriter(clone_from=place / "out.pdf")
    for attached in writer.attachment_list:
        attached.content = json.dumps(content).encode()
    change(writer)
    writer.write(place / "out.pdf")
    found = verify_report(place / "out.pdf", place)
    assert found.difference == said
    assert ("(numpy 0.1, here " in found.unsure) == (not said)


def test_makers_that_are_no_versions_are_refused(place: Path) -> None:
    content = read_content(place / "out.pdf") | {"made_with": "anything"}
    writer = PdfWriter(clone_from=place / "out.pdf")
    for attached in writer.attachment_list:
        attached.content = json.dumps(content).encode()
    writer.write(place / "out.pdf")
    with pytest.raises(RequestError, match="it does not say with which versions it was made"):
        verify_report(place / "out.pdf", place)


def test_a_page_that_was_added_without_words_is_noticed(place: Path) -> None:
    writer = PdfWriter(clone_from=place / "out.pdf")
    pages = len(writer.pages)
    writer.add_blank_page()
    writer.write(place / "out.pdf")
    said = verify_report(place / "out.pdf", place).difference
    assert said == f"it has {pages + 1} pages, the results give {pages}"


@pytest.mark.parametrize("chapters", [7, ["words"], [{"title": "fake-nuclei"}]], ids=["a number", "words", "a title"])
def test_content_that_is_built_otherwise_is_a_difference(place: Path, chapters: object) -> None:
    content = read_content(place / "out.pdf") | {"chapters": chapters}
    writer = PdfWriter(clone_from=place / "out.pdf")
    for attached in writer.attachment_list:
        attached.content = json.dumps(content).encode()
    writer.write(place / "out.pdf")
    assert verify_report(place / "out.pdf", place).difference


def test_a_link_lies_over_a_page_and_shows_nothing(place: Path) -> None:
    writer = PdfWriter(clone_from=place / "out.pdf")
    writer.add_annotation(0, Link(rect=(50, 50, 60, 60), url="https://arxiv.org"))
    writer.write(place / "out.pdf")
    assert read_printed(place / "out.pdf").laid_over == ()


def nothing(pdf: Path) -> None:
    pdf.unlink()


def words(pdf: Path) -> None:
    pdf.write_text("no PDF at all")


def half(pdf: Path) -> None:
    pdf.write_bytes(pdf.read_bytes()[:4000])


def another(pdf: Path) -> None:
    pdf.write_bytes(typst.compile(b"A page of somebody else."))


def test_a_number_that_was_changed_in_a_table_beside_it_is_named_with_file_row_and_column(place: Path) -> None:
    path = place / "out-tables" / "members.csv"
    table = pd.read_csv(path)
    assert list(table["parameters"]) == [14300000, 16000000]
    table.assign(parameters=[14300000, 15000000]).to_csv(path, index=False)
    said = verify_report(place / "out.pdf", place).difference
    assert said == f"'{path}', row 2, column 'parameters': it has '15000000', the results give '16000000'"


def test_a_report_without_tables_beside_it_is_verified_alone(place: Path) -> None:
    shutil.rmtree(place / "out-tables")
    found = verify_report(place / "out.pdf", place)
    assert (found.difference, found.tables) == ("", None)


def test_a_file_that_is_no_report_is_refused_before_what_draws_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from nestbench.cli import answer; answer(['report', 'verify', 'nothing.pdf']);"
        "print([m for m in ('matplotlib', 'typst', 'scipy', 'pandas') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "cannot read 'nothing.pdf': No such file" in said.stderr
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (nothing, "No such file"),
        (words, "it is not a PDF"),
        (half, "it is not a PDF"),
        (another, "is no report of this version of nestbench"),
    ],
    ids=["not there", "no PDF", "broken off", "of somebody else"],
)
def test_a_file_that_is_no_report_is_refused_in_one_sentence(place: Path, change: Change, said: str) -> None:
    change(place / "out.pdf")
    with pytest.raises(RequestError, match=said) as caught:
        verify_report(place / "out.pdf", place)
    assert "out.pdf" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_that_are_gone_are_named(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"reports the study 'fake-nuclei', and there are no results of it"):
        verify_report(made / "out.pdf", tmp_path)


def test_results_that_were_edited_are_named(place: Path) -> None:
    path = place / RUN / "result.json"
    write_json(path, json.loads(path.read_text()) | {"seconds": 1.0})
    with pytest.raises(RequestError, match=r"result.json': it was changed after it was written"):
        verify_report(place / "out.pdf", place)


def test_the_pdf_is_for_archives_and_for_readers_who_do_not_see_it(made: Path) -> None:
    reader = PdfReader(made / "out.pdf")
    root = reader.root_object
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    stated = root["/Metadata"].get_data().decode()
    for part in ("<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"):
        assert part in stated
    assert list(reader.attachments) == ["report.json"]
    figures = [block for block in read_content(made / "out.pdf")["chapters"][0]["blocks"] if block["kind"] == "figure"]
    told = list(alternatives(root["/StructTreeRoot"]))
    assert len(figures) >= 5
    assert {" ".join(figure["alt"].split()) for figure in figures} <= {" ".join(alt.split()) for alt in told}


def alternatives(element: object) -> object:
    """Text in place of each figure of a structure tree."""
    node = element.get_object()
    if isinstance(node, list):
        for kid in node:
            yield from alternatives(kid)
    elif hasattr(node, "get"):
        if node.get("/S") == "/Figure" and "/Alt" in node:
            yield str(node["/Alt"])
        if "/K" in node and node.get("/Type") != "/OBJR":
            yield from alternatives(node["/K"])

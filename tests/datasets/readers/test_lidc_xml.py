from pathlib import Path

import pytest
from fake_lidc import SERIES, nodule, roi, square, uid, xml

from nestbench.datasets.readers import lidc_xml
from nestbench.datasets.readers.lidc_xml import Report, is_chest_film, read_report
from nestbench.errors import RequestError

CHEST = {"root": "IdriReadMessage", "namespace": "/idri"}


def parsed(tmp_path: Path, content: str) -> Report:
    (tmp_path / "069.xml").write_text(content)
    return read_report(tmp_path / "069.xml")


def test_a_session_is_a_reader_and_a_nodule_has_an_outline_on_each_slice(tmp_path: Path):
    report = parsed(tmp_path, xml([nodule(square(1.5, 3, 4, 2), square(-2, 3, 4, 1), name="IL 7")], [], []))
    assert report.series_uid == SERIES
    assert [len(reading.nodules) for reading in report.readings] == [1, 0, 0]
    assert report.readings[0].nodules[0].id == "IL 7"
    assert [(outline.sop_uid, outline.z) for outline in report.outlines] == [(uid(1.5), 1.5), (uid(-2), -2)]
    assert report.outlines[1].points == ((2, 3), (3, 3), (4, 3), (4, 4), (4, 5), (3, 5), (2, 5), (2, 4), (2, 3))


def test_the_whole_number_of_sessions_is_read(tmp_path: Path):
    assert len(parsed(tmp_path, xml(*[[nodule(square(0, 3, 3, 1))]] * 8)).readings) == 8


def test_a_nodule_under_3_mm_is_a_point_and_is_counted_alone(tmp_path: Path):
    small = nodule(roi(0, [(5, 6)]))
    large = nodule(square(0, 3, 3, 1), roi(1, [(3, 3)]))
    report = parsed(tmp_path, xml([small, large, small]))
    assert [(len(one.nodules), one.small) for one in report.readings] == [(1, 2)]
    assert len(report.outlines) == 1


def test_a_hole_is_an_outline_that_is_not_included(tmp_path: Path):
    report = parsed(tmp_path, xml([nodule(square(0, 3, 3, 5), square(0, 5, 5, 1, inclusion="FALSE"))]))
    assert [outline.hole for outline in report.outlines] == [False, True]


def test_an_outline_that_is_not_closed_is_told_from_one_that_is(tmp_path: Path):
    report = parsed(tmp_path, xml([nodule(square(0, 3, 3, 2), square(1, 3, 3, 2, closed=False))]))
    assert [outline.closed for outline in report.outlines] == [True, False]


def test_what_readers_held_for_no_nodule_is_passed_over(tmp_path: Path):
    other = "<nonNodule><nonNoduleID>1</nonNoduleID><imageZposition>0</imageZposition></nonNodule>"
    assert parsed(tmp_path, xml([other])).outlines == ()


def test_a_chest_film_is_known_by_its_root_and_refused_as_a_ct(tmp_path: Path):
    with pytest.raises(RequestError, match=r"069\.xml' is about a chest film, not a CT"):
        parsed(tmp_path, xml([], **CHEST))
    assert is_chest_film(tmp_path / "069.xml")


@pytest.mark.parametrize("content", [xml([]), "no XML", "", '<!DOCTYPE a><a xmlns="http://www.nih.gov/idri"/>'])
def test_all_else_is_no_chest_film(tmp_path: Path, content: str):
    (tmp_path / "069.xml").write_text(content)
    assert not is_chest_film(tmp_path / "069.xml")


def test_a_long_file_is_known_by_its_beginning(tmp_path: Path):
    (tmp_path / "069.xml").write_text(xml(["<a/>" * 5000], **CHEST)[:9000])
    assert is_chest_film(tmp_path / "069.xml")


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "http://localhost/a.dtd">',
    ],
    ids=["another file", "growth", "a server"],
)
def test_entities_and_other_files_are_refused(tmp_path: Path, declared: str):
    content = xml([nodule(square(0, 3, 3, 1), name="&b;")]).replace("?>\n", f"?>\n{declared}")
    with pytest.raises(RequestError, match=r"069\.xml' has a DOCTYPE"):
        parsed(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "it is no XML"),
        ("no XML", "it is no XML"),
        (xml([nodule(square(0, 3, 3, 1))])[:-20], "it is no XML"),
        (xml([nodule("&undeclared;")]), "it is no XML"),
        ("<html/>", "is no file of LIDC's readers: its root is 'html'"),
        (xml([]).replace("www.nih.gov", "elsewhere"), "is no file of LIDC's readers"),
        (xml(), "holds no readingSession"),
        (xml([]).replace("SeriesInstanceUid", "SeriesUid"), "a ResponseHeader without SeriesInstanceUid"),
        (xml([nodule(roi(7, [(1, 1)]))]).replace(">7<", ">low<"), "imageZposition 'low', which is no number"),
        (xml([nodule(roi(0, [(1, 1), (1, "2.5")]))]), r"yCoord '2\.5', which is no number"),
        (xml([nodule(roi(0, [(-1, 1), (1, 2)]))]), "xCoord -1, which is on no slice"),
        (xml([nodule(roi(0, [(1, 1), (1, 10**9)]))]), "yCoord 1000000000, which is on no slice"),
        (xml([nodule(roi(0, [(1, 1)], inclusion="maybe"))]), "inclusion 'MAYBE', and it is TRUE or FALSE"),
        (xml([nodule(roi(0, [(1, 1)]))]).replace("noduleID", "id"), "a unblindedReadNodule without noduleID"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, sentence: str):
    with pytest.raises(RequestError, match=rf"069\.xml'.*{sentence}"):
        parsed(tmp_path, content)


def test_a_missing_or_endless_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(RequestError, match=r"cannot read '.*none\.xml': No such file"):
        read_report(tmp_path / "none.xml")
    monkeypatch.setattr(lidc_xml, "MOST_BYTES", 100)
    with pytest.raises(RequestError, match=r"069\.xml' has more than 100 bytes"):
        parsed(tmp_path, xml([]))

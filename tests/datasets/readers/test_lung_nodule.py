import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fake_lidc import nodule, roi, square, uid, write_slice, xml

from nestbench.datasets.contract import Case, Sample
from nestbench.datasets.readers.lung_nodule import LungNodule
from nestbench.errors import RequestError

PATIENT = "LIDC-IDRI-0001"
CHEST = {"root": "IdriReadMessage", "namespace": "/idri"}
NAMES = (5, 1, 7, 3, 0, 6, 2, 4)
"""Files of the slices from the feet up, which are 2 mm apart; their pixels are 0.5 mm high and 0.25 mm wide."""

# Two readers agree on one nodule of 4 x 4 pixels on slices 2 and 3; each has another for himself.
FIRST = [nodule(square(4, 10, 6, 4), square(6, 10, 6, 4)), nodule(square(14, 25, 25, 3)), nodule(roi(0, [(5, 5)]))]
SECOND = [nodule(square(4, 10, 6, 4), square(6, 10, 6, 4)), nodule(square(2, 20, 20, 2))]


def write_scan(folder: Path, *sessions: list[str]) -> Path:
    """Eight slices of 32 x 32 whose values are 100 times their number, less 1024, and the XML file."""
    for index, name in enumerate(NAMES):
        values = np.full((32, 32), 50 * index)
        write_slice(folder / f"{name:06d}.dcm", values, z=2.0 * index, RescaleSlope=2, RescaleIntercept=-1024)
    (folder / "069.xml").write_text(xml(*sessions))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with one patient: a CT that two of four readers marked, and a chest film."""
    write_scan(tmp_path / "LIDC-IDRI" / PATIENT / "1.1" / "1.2.3", FIRST, SECOND, [], [])
    film = tmp_path / "LIDC-IDRI" / PATIENT / "2.1" / "2.2"
    film.mkdir(parents=True)
    (film / "068.xml").write_text(xml([], **CHEST))
    return tmp_path


def series(root: Path) -> Path:
    return root / "LIDC-IDRI" / PATIENT / "1.1" / "1.2.3"


def read(root: Path, **options: object) -> Sample:
    data = LungNodule(root, **options)
    return data.read(data.cases()[0])


def test_a_scan_is_read_in_hounsfield_units_from_the_feet_up(root: Path):
    image, mask, instances, spacing = read(root, cases="scan")
    assert image.dtype == np.int16
    assert image.shape == (8, 32, 32, 1)
    assert image[:, 0, 0, 0].tolist() == [100 * index - 1024 for index in range(8)]
    assert mask.shape == (8, 32, 32)
    assert instances is None
    assert spacing == (2, 0.5, 0.25)


@pytest.mark.parametrize(("agree", "slices"), [(1, {1: 4, 2: 16, 3: 16, 7: 9}), (2, {2: 16, 3: 16}), (3, {})])
def test_the_mask_is_what_so_many_readers_agree_on(root: Path, agree: int, slices: dict[int, int]):
    mask = read(root, cases="scan", agree=agree).mask
    assert {index: int(plane.sum()) for index, plane in enumerate(mask) if plane.any()} == slices
    if agree <= 2:
        assert mask[2:4, 6:10, 10:14].all()


def test_a_case_is_a_nodule_on_which_readers_agree_and_keeps_its_number(root: Path):
    names = [[case.id.removeprefix(f"{PATIENT}/") for case in LungNodule(root, agree=n).cases()] for n in (1, 2)]
    assert names == [["nodule-1", "nodule-2", "nodule-3"], ["nodule-1"]]


def test_scans_are_cases_of_their_patient(root: Path):
    assert LungNodule(root, cases="scan").cases() == (Case(PATIENT, PATIENT),)
    second = write_scan(root / "LIDC-IDRI" / PATIENT / "3.1" / "3.2", FIRST)
    assert second.is_dir()
    names = [f"{PATIENT}/scan-1", f"{PATIENT}/scan-2"]
    assert LungNodule(root, cases="scan").cases() == tuple(Case(name, PATIENT) for name in names)
    assert {case.subject for case in LungNodule(root, agree=1).cases()} == {PATIENT}
    assert LungNodule(root, agree=1).cases()[3].id == f"{PATIENT}/scan-2/nodule-1"


def test_a_nodule_lies_in_the_middle_of_its_cube(root: Path):
    image, mask, _, spacing = read(root, crop=4)
    assert image.shape == (2, 8, 16, 1)
    assert spacing == (2, 0.5, 0.25)
    assert (image[:, 0, 0, 0] == [200 - 1024, 300 - 1024]).all()
    assert mask[:, 2:6, 6:10].all()
    assert mask.sum() == 32


def test_the_cube_of_a_nodule_at_the_edge_is_moved_into_the_scan(root: Path):
    data = LungNodule(root, agree=1, crop=4)
    image, mask, *_ = data.read(next(case for case in data.cases() if case.id.endswith("nodule-2")))
    assert image.shape == (2, 8, 16, 1)
    assert image[-1, 0, 0, 0] == 700 - 1024
    assert mask[1, 3:6, 9:12].all()
    assert mask.sum() == 9


def test_a_cube_is_no_longer_than_the_scan_and_holds_all_nodules_in_it(root: Path):
    nodule, scan = read(root, agree=1), read(root, agree=1, cases="scan")
    assert (nodule.image == scan.image).all()
    assert (nodule.mask == scan.mask).all()


def test_only_the_slices_of_a_cube_are_decoded(root: Path):
    path = series(root) / f"{NAMES[7]:06d}.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    assert read(root, crop=4).mask.sum() == 32
    with pytest.raises(RequestError, match=rf"cannot read '.*/{path.name}'"):
        read(root)


@pytest.mark.parametrize("place", ["LIDC-IDRI", "lidc_idri/LIDC-IDRI", "lung-nodule/LIDC-IDRI", "mine"])
def test_it_is_found_in_each_of_its_places(root: Path, tmp_path_factory: pytest.TempPathFactory, place: str):
    other = tmp_path_factory.mktemp("data")
    shutil.copytree(root / "LIDC-IDRI", other / place)
    assert LungNodule(other, **({"path": "mine"} if place == "mine" else {})).cases() == LungNodule(root).cases()


def test_a_missing_folder_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(RequestError, match=r"'.*/LIDC-IDRI' nor '.*/lidc_idri/LIDC-IDRI' nor .* NBIA Data Retriever"):
        LungNodule(tmp_path).cases()
    (tmp_path / "LIDC-IDRI").mkdir()
    with pytest.raises(RequestError, match=r"/LIDC-IDRI' holds no PATIENT/STUDY/SERIES with the XML file of a CT"):
        LungNodule(tmp_path).cases()


@pytest.mark.parametrize("place", ["LIDC-IDRI", "LIDC-IDRI-slices", "lidc_idri_slices/LIDC-IDRI-slices"])
def test_slices_as_png_are_told_from_cts(tmp_path: Path, place: str):
    (tmp_path / place / PATIENT / "nodule-0" / "images").mkdir(parents=True)
    with pytest.raises(RequestError, match=rf"'.*/{place}' holds slices as PNG, which are the data set 'lung-slices'"):
        LungNodule(tmp_path).cases()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"agree": 5}, "agree is 5"),
        ({"cases": "patient"}, "cases is 'patient'"),
        ({"crop": 0}, "crop is 0"),
        ({"cases": "scan", "crop": 32}, "crop 32 is the side of the cube around a nodule, and the cases are scans"),
        ({"agre": 2}, "unknown key 'agre'; did you mean 'agree'"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=f"data set 'lung-nodule': {sentence}"):
        LungNodule(tmp_path, **options)


@pytest.mark.parametrize("cases", ["nodule", "scan"])
def test_what_is_wrong_with_one_scan_is_said_when_it_is_read(root: Path, cases: str):
    broken = root / "LIDC-IDRI" / "LIDC-IDRI-0002" / "1" / "2"
    broken.mkdir(parents=True)
    (broken / "070.xml").write_text("no XML")
    (root / "LIDC-IDRI" / "LIDC-IDRI-0003" / "1" / "2").mkdir(parents=True)
    twice = write_scan(root / "LIDC-IDRI" / "LIDC-IDRI-0004" / "1" / "2", FIRST)
    shutil.copy(twice / "069.xml", twice / "070.xml")
    data = LungNodule(root, cases=cases)
    whole, *others = data.cases()
    assert data.read(whole).mask.any()
    assert [case.id for case in others] == ["LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0004"]
    for case, sentence in zip(
        others,
        (r"cannot read '.*070\.xml': it is no XML", "/LIDC-IDRI-0003' .* none", r"069\.xml, 070\.xml"),
        strict=True,
    ):
        with pytest.raises(RequestError, match=sentence):
            data.read(case)


def test_an_xml_of_another_series_is_refused(root: Path):
    (series(root) / "069.xml").write_text(xml(FIRST, SECOND, series="7.7"))
    with pytest.raises(RequestError, match=r"/1\.2\.3' does not hold the DICOM series 7\.7, but 1\.2\.3"):
        read(root)


def test_a_nodule_on_a_slice_that_is_missing_at_the_end_is_named(root: Path):
    (series(root) / f"{NAMES[7]:06d}.dcm").unlink()
    with pytest.raises(RequestError, match=rf"069\.xml' has a nodule on slice {uid(14)} at 14 mm, which is not in its"):
        read(root)


def test_a_slice_that_is_missing_in_between_is_named(root: Path):
    (series(root) / f"{NAMES[5]:06d}.dcm").unlink()
    with pytest.raises(RequestError, match="a slice is missing between those at 8 and 12 mm"):
        read(root)


def test_a_nodule_beside_the_slices_is_named(root: Path):
    (series(root) / "069.xml").write_text(xml([nodule(square(4, 30, 30, 4))]))
    with pytest.raises(RequestError, match=r"069\.xml' has a nodule beside the slices, which are 32 x 32 pixels"):
        read(root, agree=1)


def test_a_scan_without_nodules_is_a_scan(root: Path):
    (series(root) / "069.xml").write_text(xml([], [], [], []))
    assert not read(root, cases="scan").mask.any()


def test_where_so_many_readers_agree_on_nothing_there_is_no_case(root: Path):
    with pytest.raises(RequestError, match=r"/LIDC-IDRI' holds no nodule on which 3 readers agree"):
        LungNodule(root, agree=3).cases()


def test_threads_read_what_one_reads(root: Path):
    data = LungNodule(root, agree=1, crop=4)
    with ThreadPoolExecutor(4) as pool:
        samples = list(pool.map(data.read, data.cases() * 4))
    for case, sample in zip(data.cases() * 4, samples, strict=True):
        assert (sample.image == data.read(case).image).all()
        assert (sample.mask == data.read(case).mask).all()


def test_the_fingerprint_changes_with_any_file_and_any_option(root: Path):
    prints = [
        LungNodule(root, **options).fingerprint() for options in ({}, {"agree": 1}, {"crop": 32}, {"cases": "scan"})
    ]
    assert all(one not in prints[:index] for index, one in enumerate(prints))
    assert LungNodule(root).fingerprint() == prints[0]
    (series(root) / "069.xml").write_text(xml([]))
    assert LungNodule(root).fingerprint() != prints[0]

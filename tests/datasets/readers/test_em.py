from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from nestbench.datasets.readers.em import LABELS, VOLUME, Em
from nestbench.errors import RequestError
from nestbench.testing import check_dataset

SECTIONS = np.random.default_rng(0).integers(0, 256, (5, 20, 24), np.uint8)
INSIDE = np.where(SECTIONS > 99, 255, 0).astype(np.uint8)


def write(path: Path, pages: NDArray[np.generic]) -> None:
    tifffile.imwrite(path, pages, photometric="minisblack")


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    write(tmp_path / VOLUME, SECTIONS)
    write(tmp_path / LABELS, INSIDE)
    return tmp_path


def read(root: Path, page: int = 0, **options: str):
    em = Em(root, **options)
    return em.read(em.cases()[page])


def test_it_keeps_the_promises_of_a_data_set(stacks: Path):
    check_dataset(Em(stacks), cases=5)


def test_each_page_is_a_picture_and_a_subject(stacks: Path):
    assert [(case.id, case.subject) for case in Em(stacks).cases()] == [(f"0{n}", f"0{n}") for n in range(5)]
    for page in range(5):
        image, mask, instances, _ = read(stacks, page)
        assert (image[..., 0] == SECTIONS[page]).all()
        assert (mask == (INSIDE[page] == 255)).all()
        assert instances is None


def test_membranes_are_what_is_not_inside_a_cell(stacks: Path):
    assert (read(stacks, 3, target="membrane").mask + read(stacks, 3, target="cell").mask == 1).all()
    assert Em(stacks).classes == ("background", "cell")
    assert Em(stacks, target="membrane").classes == ("background", "membrane")


def test_an_imagej_stack_reads_alike(stacks: Path):
    tifffile.imwrite(stacks / VOLUME, SECTIONS, imagej=True)
    assert (read(stacks, 4).image[..., 0] == SECTIONS[4]).all()


@pytest.mark.parametrize("place", ["em", "em/ISBI-2012-challenge", "ISBI-2012-challenge", "em_isbi2012", "mine"])
def test_it_is_found_in_each_of_its_places(stacks: Path, place: str):
    folder = stacks / place
    folder.mkdir(parents=True)
    for name in (VOLUME, LABELS):
        (stacks / name).rename(folder / name)
    assert len(Em(stacks, **({"path": "mine"} if place == "mine" else {})).cases()) == 5


@pytest.mark.parametrize("name", [VOLUME, LABELS])
def test_a_missing_stack_says_where_it_was_looked_for_and_where_to_get_it(stacks: Path, name: str):
    (stacks / name).unlink()
    with pytest.raises(RequestError, match=r"neither '.*em' nor .* holds train-volume\.tif and .*imagej\.net"):
        Em(stacks).cases()


def test_stacks_of_different_length_are_refused(stacks: Path):
    write(stacks / LABELS, INSIDE[:4])
    with pytest.raises(
        RequestError, match=r"train-volume\.tif' and train-labels\.tif have 5 and 4 pages: one may be cut off"
    ):
        Em(stacks).cases()


def test_a_label_of_another_size_is_named(stacks: Path):
    write(stacks / LABELS, INSIDE.transpose(0, 2, 1))
    with pytest.raises(
        RequestError, match=r"page 1 of '.*train-labels\.tif' is 20 x 24 pixels, its section 24 x 20 pixels"
    ):
        read(stacks, 1)


@pytest.mark.parametrize(
    ("labels", "value"),
    [(INSIDE // 255, "1"), (np.where(INSIDE > 0, 255, 0.5), "0.5"), (np.where(INSIDE > 0, np.nan, 0), "nan")],
)
def test_labels_other_than_0_and_255_are_refused(stacks: Path, labels: NDArray[np.generic], value: str):
    write(stacks / LABELS, labels)
    with pytest.raises(
        RequestError, match=rf"mask '.*train-labels\.tif' .* not declared \({value}\) on page 0: labels are 0 and 255$"
    ):
        read(stacks)


def test_whole_numbers_in_floating_point_are_labels(stacks: Path):
    write(stacks / LABELS, INSIDE.astype(np.float32))
    assert (read(stacks).mask == (INSIDE[0] == 255)).all()


@pytest.mark.parametrize("name", [VOLUME, LABELS])
@pytest.mark.parametrize("kept", [0, 3, 900, 2000])
def test_a_truncated_stack_is_named(stacks: Path, name: str, kept: int):
    path = stacks / name
    path.write_bytes(path.read_bytes()[:kept])
    em = Em(stacks)
    with pytest.raises(RequestError, match=rf"{name}"):
        [em.read(case) for case in em.cases()]


def test_stacks_that_break_off_alike_are_no_shorter_ones(stacks: Path):
    for name in (VOLUME, LABELS):
        with tifffile.TiffWriter(stacks / name) as file:
            for section in INSIDE:
                file.write(section, metadata=None)
        (stacks / name).write_bytes((stacks / name).read_bytes()[:2000])
    with pytest.raises(RequestError, match=r"train-volume\.tif': it breaks off after page [1-4]$"):
        Em(stacks).cases()


def test_a_stack_in_colour_is_refused(stacks: Path):
    tifffile.imwrite(stacks / VOLUME, np.repeat(SECTIONS[..., None], 3, axis=-1), photometric="rgb")
    with pytest.raises(RequestError, match=r"page 0 of '.*train-volume\.tif' is no grey picture"):
        read(stacks)


def test_a_page_is_not_decoded_where_its_header_claims_too_much(stacks: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nestbench.formats.pictures.MOST_PIXELS", 20 * 24 - 1)
    with pytest.raises(RequestError, match=r"train-volume\.tif': it has more than 479 pixels"):
        read(stacks)


def test_a_wrong_option_is_one_sentence(tmp_path: Path):
    with pytest.raises(
        RequestError, match=r"^data set 'em': target is 'cells', but input should be 'cell' or 'membrane'"
    ):
        Em(tmp_path, target="cells")


def test_the_fingerprint_changes_with_the_files_and_the_target(stacks: Path):
    before = Em(stacks).fingerprint()
    assert Em(stacks).fingerprint() == before
    assert Em(stacks, target="membrane").fingerprint() != before
    write(stacks / LABELS, INSIDE[:4])
    assert Em(stacks).fingerprint() != before


def test_the_split_is_that_of_the_papers():
    assert [share * 30 for share in Em.shares] == pytest.approx([24, 3, 3])

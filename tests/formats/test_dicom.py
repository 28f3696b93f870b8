import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from fake_lidc import SERIES, uid, write_slice
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.dicom import find_series, read_series

H, W = 6, 5


def plane(value: int) -> NDArray[np.int64]:
    """(H, W): every pixel of every slice is another number."""
    return 100 * value + np.arange(H * W).reshape(H, W)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """Five slices 2 mm apart; 4.dcm is the lowest."""
    for number in range(5):
        write_slice(tmp_path / "ct" / f"{number}.dcm", plane(number), z=-2.0 * number)
    return tmp_path / "ct"


@pytest.mark.parametrize("names", list(itertools.permutations("abc")))
def test_slices_are_ordered_by_place_and_never_by_name_or_number(tmp_path: Path, names: tuple[str, ...]):
    for place, name in enumerate(names):
        write_slice(tmp_path / name, plane(place), z=3.0 * place, InstanceNumber=ord(name))
    assert (read_series(tmp_path).values == np.stack([plane(place) for place in range(3)])).all()
    assert [one.uid for one in find_series(tmp_path).slices] == [uid(0), uid(3), uid(6)]


def test_each_slice_has_its_own_slope_and_intercept(tmp_path: Path):
    write_slice(tmp_path / "a", plane(1), z=0, RescaleSlope=1, RescaleIntercept=-1024)
    write_slice(tmp_path / "b", plane(1), z=1, RescaleSlope=3, RescaleIntercept=-5)
    values = read_series(tmp_path).values
    assert values.dtype == np.int16
    assert (values == np.stack([plane(1) - 1024, 3 * plane(1) - 5])).all()


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, -1000.25), (400, 0)])
def test_values_that_16_bits_do_not_hold_are_floats(tmp_path: Path, slope: float, intercept: float):
    write_slice(tmp_path / "a", plane(1), RescaleSlope=slope, RescaleIntercept=intercept)
    values = read_series(tmp_path).values
    assert values.dtype == np.float32
    assert (values == slope * plane(1) + intercept).all()


@pytest.mark.parametrize(
    "axes",
    [[1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1], [-1, 0, 0, 0, -1, 0], [0.8, 0.6, 0, -0.6, 0.8, 0]],
    ids=["axial", "coronal", "sagittal", "turned", "oblique"],
)
def test_the_affine_says_where_each_voxel_lies(tmp_path: Path, axes: list[float]):
    along_w, along_h = np.array(axes).reshape(2, 3)
    step = 3 * np.cross(along_w, along_h)
    for number in range(3):
        place = np.array([7, 8, 9]) + number * step
        write_slice(
            tmp_path / f"{9 - number}", plane(number), ImageOrientationPatient=axes, ImagePositionPatient=list(place)
        )
    volume = read_series(tmp_path)
    assert (volume.values[2] == plane(2)).all()
    right_front_head = (np.array([7, 8, 9]) + 2 * step + 4 * 0.5 * along_h + 3 * 0.25 * along_w) * [-1, -1, 1]
    np.testing.assert_allclose(volume.affine @ [2, 4, 3, 1], [*right_front_head, 1], atol=1e-6)
    assert volume.spacing == pytest.approx((3, 0.5, 0.25))


def test_slices_of_a_tilted_gantry_are_a_sheared_grid(tmp_path: Path):
    for number in range(3):
        write_slice(tmp_path / f"{number}", plane(number), ImagePositionPatient=[0, 0.5 * number, 2 * number])
    assert read_series(tmp_path).affine[:3, 0] == pytest.approx([0, -0.5, 2])


def test_one_slice_is_as_thick_as_it_says(tmp_path: Path):
    write_slice(tmp_path / "a", plane(0), SliceThickness=2.5)
    assert read_series(tmp_path).spacing == (2.5, 0.5, 0.25)


def test_jpeg_2000_is_read(tmp_path: Path):
    values = np.arange(64 * 64, dtype=np.int16).reshape(64, 64) - 1000  # the encoder breaks the heap on a few pixels
    image = SimpleITK.GetImageFromArray(values[None])
    image.SetMetaData("0008|0060", "CT")
    path = tmp_path / "a.dcm"
    SimpleITK.WriteImage(image, path, useCompression=True, compressor="JPEG2000", imageIO="GDCMImageIO")
    assert dcmread(path).file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert (read_series(tmp_path).values == values).all()


def test_files_that_are_no_slices_are_passed_over(ct: Path):
    (ct / "069.xml").write_text("<a/>")
    (ct / "LICENSE").write_text("free")
    (ct / "more").mkdir()
    for modality in ("RTSTRUCT", "SEG", "SR"):
        write_slice(
            ct / f"{modality}.dcm", plane(0), Modality=modality, SeriesInstanceUID="9", ImagePositionPatient=None
        )
    write_slice(ct / "DICOMDIR", plane(0), Modality=None)
    assert read_series(ct).shape == (5, H, W)


def test_two_series_are_refused_by_their_uids_unless_one_is_asked_for(ct: Path):
    write_slice(ct / "scout.dcm", np.zeros((2, 2)), SeriesInstanceUID="4.5.6")
    with pytest.raises(RequestError, match=r"/ct' holds 2 DICOM series \(1\.2\.3, 4\.5\.6\)"):
        read_series(ct)
    assert read_series(ct, SERIES).shape == (5, H, W)
    with pytest.raises(RequestError, match=r"/ct' does not hold the DICOM series 7\.8, but 1\.2\.3, 4\.5\.6"):
        read_series(ct, "7.8")


def test_a_missing_slice_is_named_by_its_neighbours(ct: Path):
    (ct / "2.dcm").unlink()
    with pytest.raises(RequestError, match=r"2 mm apart, but a slice is missing .* -6 and -2 mm in '.*/ct'"):
        read_series(ct)


@pytest.mark.parametrize("tag", ["ImagesInAcquisition", "NumberOfSlices"])
@pytest.mark.parametrize("gone", [0, 4])
@pytest.mark.parametrize("numbered", [True, False])
def test_a_missing_first_or_last_slice_is_told_of_where_headers_say_how_many_there_are(
    ct: Path, tag: str, gone: int, numbered: bool
):
    for number in range(5):
        write_slice(
            ct / f"{number}.dcm",
            plane(number),
            z=-2.0 * number,
            InstanceNumber=number + 1 if numbered else None,
            **{tag: 5},
        )
    assert read_series(ct).shape == (5, H, W)
    (ct / f"{gone}.dcm").unlink()
    with pytest.raises(RequestError, match=r"/ct' holds 4 slices, and by their headers there are 5: 1 of them"):
        read_series(ct)


@pytest.mark.parametrize(("first", "warned"), [(0, False), (1, False), (2, True), (267, True)])
def test_numbers_that_begin_above_one_are_a_warning(
    ct: Path, caplog: pytest.LogCaptureFixture, first: int, warned: bool
):
    for number in range(5):
        write_slice(ct / f"{number}.dcm", plane(number), z=-2.0 * number, InstanceNumber=first + number)
    assert read_series(ct).shape == (5, H, W)
    said = f"'{ct}' begins with slice number {first}: unless it was cut on purpose, slices are missing"
    assert caplog.messages == ([said] if warned else [])


def test_headers_that_count_one_acquisition_of_several_refuse_nothing(ct: Path):
    for number in range(5):
        write_slice(
            ct / f"{number}.dcm", plane(number), z=-2.0 * number, InstanceNumber=20 + number, ImagesInAcquisition=8
        )
    assert read_series(ct).shape == (5, H, W)


def test_an_uneven_step_is_named(ct: Path):
    write_slice(ct / "0.dcm", plane(0), z=0.5)
    with pytest.raises(RequestError, match=r"2 mm apart, but the step is another one .* -2 and 0\.5 mm in '.*/ct'"):
        read_series(ct)


def test_a_slice_that_is_shifted_sideways_is_refused(ct: Path):
    write_slice(ct / "2.dcm", plane(0), ImagePositionPatient=[-9, -20, -4])
    with pytest.raises(RequestError, match=r"the step is another one .* -6 and -4 mm in '.*/ct'"):
        read_series(ct)


def test_rounded_positions_are_even(tmp_path: Path):
    for number, z in enumerate((0, 0.67, 1.33, 2)):
        write_slice(tmp_path / f"{number}", plane(0), z=z)
    assert read_series(tmp_path).spacing == pytest.approx((0.67, 0.5, 0.25))


def test_two_slices_at_one_place_are_named(ct: Path):
    shutil.copy(ct / "3.dcm", ct / "copy.dcm")
    with pytest.raises(RequestError, match=r"/ct' holds two slices at -6 mm, '3\.dcm' and 'copy\.dcm'"):
        read_series(ct)


@pytest.mark.parametrize(
    ("what", "tags", "sentence"),
    [
        ("size", {}, "7, 5, not 6, 5"),
        ("spacing", {"PixelSpacing": [0.5, 0.3]}, r"0\.5, 0\.3, not 0\.5, 0\.25"),
        ("direction", {"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}, "-1, 0, 0, 0, 1, 0, not 1, 0, 0, 0, 1, 0"),
    ],
)
def test_a_slice_unlike_the_others_is_named(ct: Path, what: str, tags: dict[str, object], sentence: str):
    write_slice(ct / "2.dcm", plane(0) if tags else np.zeros((H + 1, W)), z=-4, **tags)
    with pytest.raises(RequestError, match=rf"/ct/2\.dcm' has another {what} than '0\.dcm' of its series: {sentence}"):
        read_series(ct)


@settings(max_examples=30)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_slice_that_is_cut_off_anywhere_is_named(tmp_path_factory: pytest.TempPathFactory, share: float):
    folder = tmp_path_factory.mktemp("ct")
    for number in range(2):
        write_slice(folder / f"{number}.dcm", plane(number), z=number)
    whole = (folder / "1.dcm").read_bytes()
    (folder / "1.dcm").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RequestError, match=r"cannot read '.*/1\.dcm': "):
        read_series(folder)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_slice_that_does_not_say_where_it_lies_is_named(ct: Path, tag: str):
    write_slice(ct / "2.dcm", plane(0), z=-4, **{tag: None})
    with pytest.raises(RequestError, match=rf"cannot read '.*/2\.dcm': its header .* gives no {tag}"):
        read_series(ct)


@pytest.mark.parametrize(
    "tags", [{"PixelSpacing": [0, 1]}, {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}], ids=["spacing", "direction"]
)
def test_a_header_of_no_grid_is_named(ct: Path, tags: dict[str, object]):
    write_slice(ct / "2.dcm", plane(0), z=-4, **tags)
    with pytest.raises(RequestError, match=r"cannot read '.*/2\.dcm': .* not those of a grid"):
        read_series(ct)


def test_several_frames_and_colour_are_refused(tmp_path: Path):
    path = write_slice(tmp_path / "a", np.zeros((2 * H, W)), Rows=H, NumberOfFrames=2)
    with pytest.raises(RequestError, match="/a' holds 2 frames"):
        read_series(tmp_path)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    write_slice(path, np.zeros((3 * H, W // 2)), Rows=H, Columns=W // 2 * 2, **colour, **bits)
    with pytest.raises(RequestError, match="/a' is no slice of one grey value a pixel"):
        read_series(tmp_path)


def test_a_series_that_is_too_large_is_refused_before_it_is_decoded(ct: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 5 * H * W - 1)
    with pytest.raises(RequestError, match=r"cannot read '.*/ct': it has more than 149 pixels"):
        read_series(ct)


def test_a_folder_without_slices_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match="holds no slices of a DICOM series"):
        read_series(tmp_path)
    with pytest.raises(RequestError, match=r"cannot read '.*/none': No such file"):
        read_series(tmp_path / "none")

import gzip
import struct
import zlib

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from nestbench.datasets import pictures
from nestbench.datasets.pictures import read_image
from nestbench.errors import RequestError
from nestbench.predict.images import Holds, look, read, suffix, write_mask, write_probabilities

AFFINE = np.array([[0, -2.0, 0, 10], [3.0, 0, 0, -20], [0, 0, 4.0, 30], [0, 0, 0, 1]])


def numbers(*shape, dtype=np.uint8, high=256):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def nifti(path, values, **fields):
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def test_a_picture_is_read_as_training_reads_it(tmp_path):
    for name, values in {"a.png": numbers(9, 8, 3), "b.tif": numbers(9, 8, dtype=np.uint16, high=4000)}.items():
        path = tmp_path / name
        tifffile.imwrite(path, values) if path.suffix == ".tif" else Image.fromarray(values).save(path)
        np.testing.assert_array_equal(read(path, 3), read_image(path, 3))


def test_pages_are_slices(tmp_path):
    values = numbers(5, 9, 8)
    tifffile.imwrite(tmp_path / "v.tif", values)
    assert look(tmp_path / "v.tif") == Holds(volume=True, channels=1)
    np.testing.assert_array_equal(read(tmp_path / "v.tif", 1)[..., 0], values)
    np.testing.assert_array_equal(read(tmp_path / "v.tif", 3)[..., 2], values)


def test_pages_in_colour_are_slices_in_colour(tmp_path):
    values = numbers(5, 9, 8, 3)
    tifffile.imwrite(tmp_path / "v.tif", values, photometric="rgb")
    assert look(tmp_path / "v.tif") == Holds(volume=True, channels=3)
    np.testing.assert_array_equal(read(tmp_path / "v.tif", 3), values)


def test_pages_that_are_channels_or_differ_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", numbers(3, 9, 8), imagej=True, metadata={"axes": "CYX"})
    with tifffile.TiffWriter(tmp_path / "d.tif") as file:
        file.write(numbers(9, 8))
        file.write(numbers(4, 4))
    for name in ("c.tif", "d.tif"):
        with pytest.raises(RequestError, match=rf"{name}' holds pages that are no stack of slices"):
            read(tmp_path / name, 1)


def test_the_last_axis_of_a_nifti_is_its_slices(tmp_path):
    values = numbers(7, 6, 5)
    path = nifti(tmp_path / "v.nii.gz", values)
    assert look(path) == Holds(volume=True, channels=1)
    np.testing.assert_array_equal(read(path, 1)[..., 0], np.moveaxis(values, -1, 0))


def test_a_fourth_axis_of_a_nifti_is_its_channels(tmp_path):
    values = numbers(7, 6, 5, 4)
    path = nifti(tmp_path / "v.nii", values)
    assert look(path) == Holds(volume=True, channels=4)
    np.testing.assert_array_equal(read(path, 4)[2], values[:, :, 2])


def test_a_volume_of_more_than_8_bits_is_scaled_as_a_picture_is(tmp_path):
    values = numbers(1, 9, 8, dtype=np.uint16, high=4000)
    tifffile.imwrite(tmp_path / "p.tif", values[0])
    path = nifti(tmp_path / "v.nii.gz", np.moveaxis(values, 0, -1).astype(np.int16))
    np.testing.assert_array_equal(read(path, 1)[0], read_image(tmp_path / "p.tif", 1))


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6), (7, 6, 5, 2)])
def test_the_mask_of_a_nifti_lies_where_its_source_does(name, shape, tmp_path):
    source = nifti(tmp_path / name, numbers(*shape, dtype=np.float32), cal_max=99)
    mask = read(source, shape[3] if len(shape) == 4 else 1)[..., 0] % 3
    write_mask(mask, tmp_path / "out" / name, source)
    written = nibabel.load(tmp_path / "out" / name)
    np.testing.assert_array_equal(written.affine, AFFINE)
    assert written.shape == shape[:3]
    assert written.get_data_dtype() == np.uint8
    assert written.header["cal_max"] == 0
    assert written.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(written.header.get_zooms(), nibabel.load(source).header.get_zooms()[: len(shape[:3])])
    values = np.asarray(written.dataobj)
    np.testing.assert_array_equal(values if len(shape) == 2 else values[..., 3], mask[0 if len(shape) == 2 else 3])


def test_the_same_mask_is_the_same_file(tmp_path):
    source = nifti(tmp_path / "v.nii.gz", numbers(4, 4, 4))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_mask(numbers(4, 4, 4, high=2), tmp_path / name, source)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("shape", [(9, 8), (3, 9, 8), (9, 8, 3)])
def test_a_mask_as_tiff_holds_its_values(shape, tmp_path):
    mask = numbers(*shape, high=5)
    write_mask(mask, tmp_path / "m.tif", tmp_path / "m.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), mask)


def test_a_mask_as_png_holds_indices(tmp_path):
    mask = numbers(9, 8, high=5)
    write_mask(mask, tmp_path / "m.png", tmp_path / "m.jpg")
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), mask)


def test_probabilities_have_the_axes_of_the_mask(tmp_path):
    source = nifti(tmp_path / "v.nii.gz", numbers(7, 6, 5))
    probability = np.random.default_rng(0).random((2, 5, 7, 6), np.float32)
    write_probabilities(probability, tmp_path / "v.npy", source)
    written = np.load(tmp_path / "v.npy")
    assert written.shape == (2, 7, 6, 5)
    np.testing.assert_array_equal(written[1, :, :, 3], probability[1, 3])


BROKEN = {
    "rubbish.png": b"\x89PNG\r\n\x1a\nrubbish",
    "empty.tif": b"",
    "rubbish.tif": b"II*\x00rubbish",
    "rubbish.nii.gz": b"rubbish",
    "empty.nii": b"",
    "short.nii.gz": gzip.compress(b"rubbish"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_is_refused_by_its_name(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    assert look(path) is None or look(path) == Holds(volume=False, channels=1)
    with pytest.raises(RequestError, match=rf"cannot read '.*{name}'"):
        read(path, 1)


def png(path, side):
    """A PNG in colour whose header alone is there: it says ``side`` x ``side`` pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("side", [10_000, 14_000, 32_768])
def test_a_picture_as_large_as_a_tile_of_a_slide_is_none_too_many(side, tmp_path):
    path = png(tmp_path / "a.png", side)
    assert look(path) == Holds(volume=False, channels=3)
    with pictures.opened(path) as picture:
        assert picture.size == (side, side)


@pytest.mark.parametrize("side", [32_769, 50_000, 2**31 - 1])
def test_a_small_file_that_would_fill_the_memory_is_refused_in_one_sentence(side, tmp_path):
    with pytest.raises(RequestError, match=r"^cannot read '.*a\.png': it has more than 1,073,741,824 pixels; cut it"):
        read(png(tmp_path / "a.png", side), 3)


def test_so_is_one_that_only_the_other_decoder_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 9 * 8)
    tifffile.imwrite(tmp_path / "a.tif", numbers(9, 8, 3, dtype=np.uint16), photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", numbers(9, 9, 3, dtype=np.uint16), photometric="rgb")
    assert read(tmp_path / "a.tif", 3).shape == (9, 8, 3)
    with pytest.raises(RequestError, match=r"^cannot read '.*b\.tif': it has more than 72 pixels"):
        read(tmp_path / "b.tif", 3)


def test_so_is_a_picture_of_many_values_a_pixel(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 9 * 8)
    tifffile.imwrite(tmp_path / "a.tif", numbers(9, 8, 5, dtype=np.uint16), photometric="rgb", extrasamples=[0, 0])
    with pytest.raises(RequestError, match=r"^cannot read '.*a\.tif': it has more than 72 pixels"):
        read(tmp_path / "a.tif", 3)


@pytest.mark.parametrize("shape", [(2, 9, 8), (2, 9, 8, 3), (2, 9, 8, 4)])
def test_so_is_a_stack_whose_pages_together_are_too_many(shape, tmp_path, monkeypatch):
    photometric = "rgb" if len(shape) == 4 else "minisblack"
    tifffile.imwrite(tmp_path / "v.tif", numbers(*shape), photometric=photometric)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 2 * 9 * 8)
    assert read(tmp_path / "v.tif", 3).shape == (2, 9, 8, 3)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 2 * 9 * 8 - 1)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda _: pytest.fail("unpacked before it was refused"))
    with pytest.raises(RequestError, match=r"^cannot read '.*v\.tif': it has more than 143 pixels; cut it"):
        read(tmp_path / "v.tif", 3)


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("shape", [(100, 100, 101), (10, 10, 10, 1001)])
def test_so_is_a_nifti_whose_header_alone_says_so(name, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 10**6)
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    content = header.binaryblock + bytes(100)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(RequestError, match=rf"^cannot read '.*{name}': it has more than 1,000,000 pixels; cut it"):
        read(tmp_path / name, 1)


def test_a_nifti_of_as_many_values_as_may_be_is_read(tmp_path, monkeypatch):
    path = nifti(tmp_path / "v.nii.gz", numbers(7, 6, 5, 2))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 7 * 6 * 5 * 2)
    assert read(path, 2).shape == (5, 7, 6, 2)


def test_a_nifti_that_is_cut_off_is_refused_by_its_name(tmp_path):
    path = nifti(tmp_path / "v.nii", numbers(7, 6, 5))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"cannot read '.*v\.nii'"):
        read(path, 1)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    values = np.zeros((4, 4, 4), np.float32)
    values[0] = np.nan
    with pytest.raises(RequestError, match=r"v\.nii' holds values that are not numbers"):
        read(nifti(tmp_path / "v.nii", values), 1)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.PNG", ".png"), ("a.nii.gz", ".nii.gz"), ("a.gz", ""), ("a.b.Tiff", ".tiff"), ("a", "")]
)
def test_the_suffix_tells_the_format(name, expected, tmp_path):
    assert suffix(tmp_path / name) == expected

import gzip
import json
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from fake_lidc import write_slice
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_volumes import SHAPE, SPL, ramp, save_itk, save_nifti, turned, volume

from nestbench.datasets.intensity import to_bytes
from nestbench.datasets.preparing import prepare
from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.geometry import UNPLACED, Volume, canonical, same_grid
from nestbench.formats.volumes import Holds, look, read_volume
from nestbench.model.files import UNSAID, Use
from nestbench.predict.images import Taken, space_of, suffix, take, write_mask, write_probabilities
from nestbench.study.data import DatasetSpec

AFFINE = np.array([[0, -2.0, 0, 10], [3.0, 0, 0, -20], [0, 0, 4.0, 30], [0, 0, 0, 1]])


def numbers(*shape, dtype=np.uint8, high=256):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def nifti(path, values, **fields):
    """A NIfTI of values as they are stored, (X, Y, Z)."""
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


GREY, DEEP = numbers(6, 8), numbers(6, 8, dtype=np.uint16, high=4000)
PICTURES = {
    "colour": [numbers(6, 8, 3)],
    "16 bits": [DEEP],
    "colour of 16 bits": [np.stack([DEEP, DEEP[::-1] * 9, DEEP[:, ::-1] + 50], axis=-1)],
    "floats": [DEEP / np.float32(9)],
    "8 bits": [GREY, GREY[::-1]],
    "8 beside 16 bits": [GREY, DEEP],
    "16 beside 8 bits": [DEEP, GREY],
}


def task_of(folder, planes):
    """A task in 2D of one case, of which each channel has a file, and the paths of these files."""
    paths = [folder / "imagesTr" / f"a_{number:04d}.tif" for number in range(len(planes))]
    for path, values in zip([*paths, folder / "labelsTr" / "a.tif"], [*planes, GREY % 2], strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, values, photometric="rgb" if values.ndim == 3 else "minisblack")
    names = {str(number): f"channel {number}" for number in range(np.dstack(planes).shape[-1])}
    said = {"channel_names": names, "labels": {"background": 0, "odd": 1}}
    (folder / "dataset.json").write_text(json.dumps(said))
    return paths


@pytest.mark.parametrize("view", [{}, {"percentiles": (10, 90)}, {"window": (100, 2000)}])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_taken_as_it_was_prepared(kind, view, tmp_path):
    paths = task_of(tmp_path / "set", PICTURES[kind])
    spec = DatasetSpec(name="decathlon", path=str(tmp_path / "set"), patch=16, **view)
    prepared = prepare(spec, tmp_path, tmp_path / "cache")
    taken = take(paths[0], prepared.channels, Use(**view), paths[1:])
    np.testing.assert_array_equal(taken.pixels, prepared.image(0)[0])
    assert (taken.grid, taken.spacing) == (None, None)


def test_grey_of_16_bits_is_three_equal_channels_of_8(tmp_path):
    Image.fromarray(DEEP).save(tmp_path / "a.png")
    expected = to_bytes(DEEP[..., None], None, UNSAID.percentiles, "").repeat(3, axis=-1)
    np.testing.assert_array_equal(take(tmp_path / "a.png", 3).pixels, expected)


def test_a_window_of_values_holds_for_pictures_too(tmp_path):
    Image.fromarray(np.array([[0, 50, 75, 100, 255]], np.uint8)).save(tmp_path / "a.png")
    assert take(tmp_path / "a.png", 1, Use(window=(50, 100))).pixels.ravel().tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("name", ["v.nii.gz", "v.mha", "v.nrrd"])
def test_a_volume_is_turned_as_the_readers_of_data_sets_turn_it(name, tmp_path):
    save = save_nifti if ".nii" in name else save_itk
    path = save(tmp_path / name, ramp(kind=np.int16))
    taken = take(path, 1)
    values = canonical(read_volume(path)).values[..., None]
    np.testing.assert_array_equal(taken.pixels, to_bytes(values, None, UNSAID.percentiles, ""))
    assert taken.spacing == pytest.approx((3, 1.5, 2))


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_a_mask_is_turned_back_however_its_volume_is_stored(tmp_path_factory, order, flips):
    folder = tmp_path_factory.mktemp("turned")
    path = save_nifti(folder / "v.nii", *turned(ramp(kind=np.uint8), SPL, tuple(order), flips))
    taken = take(path, 1)
    np.testing.assert_array_equal(taken.pixels[..., 0], ramp(kind=np.uint8))
    write_mask(taken.pixels[..., 0], folder / "m.nii", taken.grid)
    np.testing.assert_array_equal(nibabel.load(folder / "m.nii").dataobj, nibabel.load(path).dataobj)


@given(st.lists(st.integers(0, 7), min_size=3, max_size=3), st.permutations(range(3)))
def test_even_where_axes_lie_halfway_between_two_directions(tmp_path_factory, eighths, order):
    turn = np.eye(3)
    for axis, eighth in enumerate(eighths):
        cosine, sine = np.cos(np.pi / 4 * eighth), np.sin(np.pi / 4 * eighth)
        plane = np.roll(np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]), (axis, axis), (0, 1))
        turn = turn @ plane
    affine = np.eye(4)
    affine[:3, :3] = turn[:, list(order)] * [1, 2, 3]
    folder = tmp_path_factory.mktemp("halfway")
    path = save_nifti(folder / "v.nii", numbers(3, 3, 3), affine)
    taken = take(path, 1)
    write_mask(taken.pixels[..., 0], folder / "m.nii", taken.grid)
    np.testing.assert_array_equal(read_volume(folder / "m.nii").values, read_volume(path).values)


def test_values_become_bytes_by_the_window_that_training_had(tmp_path):
    path = save_nifti(tmp_path / "v.nii", np.array([[[-1000, -200, 0, 200, 3000]]], np.int16))
    assert take(path, 1, Use(window=(-200, 200))).pixels.ravel().tolist() == [0, 0, 128, 255, 255]


def test_values_become_bytes_by_the_percentiles_that_training_had(tmp_path):
    path = save_nifti(tmp_path / "v.nii", ramp((4, 5, 5)))
    pixels = take(path, 1, Use(percentiles=(25, 75))).pixels
    assert (np.mean(pixels == 0), np.mean(pixels == 255)) == pytest.approx((0.25, 0.25), abs=0.02)


def test_pages_are_slices(tmp_path):
    values = numbers(5, 9, 8)
    tifffile.imwrite(tmp_path / "v.tif", values)
    assert look(tmp_path / "v.tif") == Holds(volume=True, channels=1)
    np.testing.assert_array_equal(take(tmp_path / "v.tif", 1).pixels[..., 0], values)
    np.testing.assert_array_equal(take(tmp_path / "v.tif", 3).pixels[..., 2], values)


def test_pages_in_colour_are_slices_in_colour(tmp_path):
    values = numbers(5, 9, 8, 3)
    tifffile.imwrite(tmp_path / "v.tif", values, photometric="rgb")
    assert look(tmp_path / "v.tif") == Holds(volume=True, channels=3)
    np.testing.assert_array_equal(take(tmp_path / "v.tif", 3).pixels, values)


def test_pages_that_are_channels_or_differ_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", numbers(3, 9, 8), imagej=True, metadata={"axes": "CYX"})
    with tifffile.TiffWriter(tmp_path / "d.tif") as file:
        file.write(numbers(9, 8))
        file.write(numbers(4, 4))
    for name in ("c.tif", "d.tif"):
        with pytest.raises(RequestError, match=rf"{name}' holds pages that are no stack of slices"):
            take(tmp_path / name, 1)


def test_a_fourth_axis_of_a_nifti_is_its_channels(tmp_path):
    path = save_nifti(tmp_path / "v.nii", ramp((*SHAPE, 2), np.uint8))
    assert look(path) == Holds(volume=True, channels=2)
    np.testing.assert_array_equal(take(path, 2).pixels, ramp((*SHAPE, 2), np.uint8))


def series(folder: Path) -> Path:
    """Three slices, their names against their order in the body."""
    for number in range(3):
        write_slice(folder / f"{number}.dcm", 100 * number + ramp((6, 5)), z=-2.0 * number)
    return folder


def space_less(path: Path) -> Path:
    """A NRRD that says its spacing and not where it lies."""
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 8 6 4\nspacings: 2 1.5 3\nendian: little\nencoding: raw\n\n"
    path.write_bytes(header.encode() + ramp().tobytes())
    return path


def oblique(path: Path) -> Path:
    """ITK's axes, turned by 30 degrees and swapped."""
    image = SimpleITK.GetImageFromArray(ramp())
    image.SetSpacing((2, 1.5, 3))
    image.SetOrigin((7, -8, 9))
    image.SetDirection((0.5, 0, 3**0.5 / 2, 3**0.5 / 2, 0, -0.5, 0, 1, 0))
    SimpleITK.WriteImage(image, path)
    return path


def stack(path: Path) -> Path:
    tifffile.imwrite(path, ramp(), photometric="minisblack")
    return path


SOURCES = {
    "v.nii": lambda path: save_nifti(path, *turned(ramp(), SPL, (2, 0, 1), (True, False, True))),
    "v.nii.gz": lambda path: save_nifti(path, ramp()),
    "unplaced.nii": lambda path: save_nifti(path, ramp(), None),
    "channels.nii": lambda path: save_nifti(path, ramp((*SHAPE, 2))),
    "v.mha": oblique,
    "v.mhd": oblique,
    "v.nrrd": oblique,
    "spaceless.nrrd": space_less,
    "flat.mha": lambda path: save_itk(path, ramp((6, 8)), spacing=(2, 1.5)),
    "v.tif": stack,
    "series": series,
}
WRITTEN = {"v.mhd": "v.mha", "series": "series.nii.gz"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_mask_lies_where_its_source_does(name, tmp_path):
    source = read_volume(SOURCES[name](tmp_path / name))
    taken = take(tmp_path / name, source.values.shape[-1] if source.values.ndim == 4 else 1)
    path = tmp_path / "out" / WRITTEN.get(name, name)
    write_mask(taken.pixels[..., 0], path, taken.grid)
    written = read_volume(path)
    assert same_grid(source, written)
    assert (written.spacing, written.values.dtype) == (pytest.approx(source.spacing), np.uint8)
    assert written.placed or not source.placed
    np.testing.assert_array_equal(canonical(written).values, taken.pixels[..., 0])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6), (7, 6, 5, 2), (7, 6, 5, 1, 2)])
def test_the_mask_of_a_nifti_has_its_axes_and_units(name, shape, tmp_path):
    source = nifti(tmp_path / name, numbers(*shape, dtype=np.float32), cal_max=99)
    taken = take(source, shape[-1] if len(shape) > 3 else 1)
    write_mask(taken.pixels[..., 0], tmp_path / "out" / name, taken.grid)
    written = nibabel.load(tmp_path / "out" / name)
    np.testing.assert_array_equal(written.affine, AFFINE)
    assert written.shape == shape[:3]
    assert written.get_data_dtype() == np.uint8
    assert written.header["cal_max"] == 0
    assert written.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(written.header.get_zooms(), nibabel.load(source).header.get_zooms()[: len(shape[:3])])


def test_the_same_mask_is_the_same_file(tmp_path):
    for name in ("v.nii.gz", "v.mha", "v.nrrd"):
        grid = read_volume(SOURCES[name](tmp_path / name))
        for folder in ("a", "b"):
            write_mask(ramp(kind=np.uint8).reshape(canonical(grid).shape), tmp_path / folder / name, grid)
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("shape", [(9, 8), (3, 9, 8), (9, 8, 3)])
def test_a_mask_as_tiff_holds_its_values(shape, tmp_path):
    mask = numbers(*shape, high=5)
    grid = Volume(mask, UNPLACED, tmp_path / "m.tif", placed=False) if len(shape) == 3 else None
    write_mask(mask, tmp_path / "m.tif", grid)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), mask)


def test_a_mask_as_png_holds_indices(tmp_path):
    mask = numbers(9, 8, high=5)
    write_mask(mask, tmp_path / "m.png", None)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), mask)


@pytest.mark.parametrize(
    ("name", "mask"), [("v.nii", "v.nii"), ("v.mha", "v.mha"), ("v.tif", "v.tif"), ("series", "series.nii.gz")]
)
def test_probabilities_have_the_axes_of_the_mask(name, mask, tmp_path):
    taken = take(SOURCES[name](tmp_path / name), 1)
    planes = taken.pixels[..., 0]
    write_mask(planes, tmp_path / "out" / mask, taken.grid)
    write_probabilities(np.stack([planes / 2, planes]).astype(np.float32), tmp_path / "v.npy", taken.grid, Path(mask))
    path = tmp_path / "out" / mask
    as_stored = np.asarray(nibabel.load(path).dataobj) if ".nii" in mask else read_volume(path).values
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), np.stack([as_stored / 2, as_stored]))


def test_probabilities_of_a_flat_nifti_are_flat(tmp_path):
    taken = take(nifti(tmp_path / "v.nii", numbers(7, 6)), 1)
    probability = np.random.default_rng(0).random((2, *taken.pixels.shape[:-1]), np.float32)
    write_probabilities(probability, tmp_path / "v.npy", taken.grid, Path("v.nii"))
    assert np.load(tmp_path / "v.npy").shape == (2, 7, 6)


TAKEN = Taken(np.zeros((*SHAPE, 1), np.uint8), volume(np.zeros(SHAPE)))
FLAT = Taken(np.zeros((6, 8, 1), np.uint8), None)


@pytest.mark.parametrize(
    ("taken", "about", "dims", "expected"),
    [
        (TAKEN, UNSAID, 2, SHAPE),
        (TAKEN, Use(size=16), 2, (4, 16, 16)),
        (TAKEN, Use(size=16), 3, (16, 16, 16)),
        (TAKEN, Use(spacing=1.5), 3, (8, 6, 11)),
        (TAKEN, Use(spacing=(1, 3, 1)), 3, (12, 3, 16)),
        (TAKEN, Use(spacing=1.5, size=16), 2, (8, 16, 16)),
        (TAKEN, Use(spacing=900), 3, (1, 1, 1)),
        (FLAT, Use(size=16), 2, (16, 16)),
    ],
)
def test_an_image_is_brought_to_the_size_of_training(taken, about, dims, expected):
    assert space_of(taken, Path("a"), about, dims) == expected


@pytest.mark.parametrize(
    ("taken", "about", "words"),
    [
        (FLAT, Use(spacing=1), "^'a' does not say its spacing, so it cannot be resampled"),
        (TAKEN, Use(spacing=(1, 1)), "^'a' has 3 axes, and there are 2 spacings"),
        (TAKEN, Use(spacing=1e-4), "^'a' would become 120000 x 90000 x 160000 pixels"),
        (TAKEN, Use(size=4096), "^'a' would become 4096 x 4096 x 4096 pixels"),
    ],
)
def test_an_image_that_cannot_be_seen_as_in_training_is_refused_by_its_name(taken, about, words):
    with pytest.raises(RequestError, match=words):
        space_of(taken, Path("a"), about, 3)


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
        take(path, 1)


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
        take(png(tmp_path / "a.png", side), 3)


def test_so_is_one_that_only_the_other_decoder_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 9 * 8)
    tifffile.imwrite(tmp_path / "a.tif", numbers(9, 8, 3, dtype=np.uint16), photometric="rgb")
    tifffile.imwrite(tmp_path / "b.tif", numbers(9, 9, 3, dtype=np.uint16), photometric="rgb")
    assert take(tmp_path / "a.tif", 3).pixels.shape == (9, 8, 3)
    with pytest.raises(RequestError, match=r"^cannot read '.*b\.tif': it has more than 72 pixels"):
        take(tmp_path / "b.tif", 3)


def test_so_is_a_picture_of_many_values_a_pixel(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 9 * 8)
    tifffile.imwrite(tmp_path / "a.tif", numbers(9, 8, 5, dtype=np.uint16), photometric="rgb", extrasamples=[0, 0])
    with pytest.raises(RequestError, match=r"^cannot read '.*a\.tif': it has more than 72 pixels"):
        take(tmp_path / "a.tif", 3)


@pytest.mark.parametrize("shape", [(2, 9, 8), (2, 9, 8, 3), (2, 9, 8, 4)])
def test_so_is_a_stack_whose_pages_together_are_too_many(shape, tmp_path, monkeypatch):
    photometric = "rgb" if len(shape) == 4 else "minisblack"
    tifffile.imwrite(tmp_path / "v.tif", numbers(*shape), photometric=photometric)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 2 * 9 * 8)
    assert take(tmp_path / "v.tif", 3).pixels.shape == (2, 9, 8, 3)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 2 * 9 * 8 - 1)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda _: pytest.fail("unpacked before it was refused"))
    with pytest.raises(RequestError, match=r"^cannot read '.*v\.tif': it has more than 143 pixels; cut it"):
        take(tmp_path / "v.tif", 3)


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("shape", [(100, 100, 101), (10, 10, 10, 4001)])
def test_so_is_a_nifti_whose_header_alone_says_so(name, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 10**6)
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    content = header.binaryblock + bytes(100)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(RequestError, match=rf"^cannot read '.*{name}': it has more than 1,000,000 pixels; cut it"):
        take(tmp_path / name, 1)


def test_a_nifti_of_as_many_values_as_may_be_is_read(tmp_path, monkeypatch):
    path = nifti(tmp_path / "v.nii.gz", numbers(7, 6, 5, 2))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 7 * 6 * 5)
    assert take(path, 2).pixels.size == 7 * 6 * 5 * 2


def test_a_nifti_that_is_cut_off_is_refused_by_its_name(tmp_path):
    path = nifti(tmp_path / "v.nii", numbers(7, 6, 5))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"cannot read '.*v\.nii'"):
        take(path, 1)


def test_values_that_are_no_numbers_are_refused(tmp_path):
    values = np.zeros((4, 4, 4), np.float32)
    values[0] = np.nan
    with pytest.raises(RequestError, match=r"v\.nii' holds values that are not numbers"):
        take(nifti(tmp_path / "v.nii", values), 1)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.PNG", ".png"), ("a.nii.gz", ".nii.gz"), ("a.gz", ""), ("a.b.Tiff", ".tiff"), ("a", "")]
)
def test_the_suffix_tells_the_format(name, expected, tmp_path):
    assert suffix(tmp_path / name) == expected

import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import tifffile
from PIL import Image

from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.pictures import is_grey, opened, read_channels, read_image, read_values

RAMP = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


def png_of_16_bit_colour() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header, rows = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0), zlib.compress(bytes(4 * (1 + 4 * 6)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_8_bits_are_read_as_they_are(tmp_path: Path, suffix: str):
    Image.fromarray(RAMP).save(tmp_path / f"grey.{suffix}")
    Image.fromarray(COLOUR).save(tmp_path / f"colour.{suffix}")
    assert (read_image(tmp_path / f"grey.{suffix}", 1) == RAMP[..., None]).all()
    assert (read_image(tmp_path / f"colour.{suffix}", 3) == COLOUR).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_may_be_kept_plane_by_plane(tmp_path: Path, dtype: type):
    values = COLOUR.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="rgb")
    assert (read_image(tmp_path / "a.tif", 3) == read_image(tmp_path / "b.tif", 3)).all()


def test_grey_in_colour_is_three_equal_channels(tmp_path: Path):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", 3) == RAMP[..., None].repeat(3, axis=2)).all()


@pytest.mark.parametrize(("values", "mode"), [(RAMP, "LA"), (COLOUR, "RGBA")])
def test_transparency_is_dropped(tmp_path: Path, values: np.ndarray, mode: str):
    picture = Image.fromarray(values).convert(mode)
    picture.putalpha(7)
    picture.save(tmp_path / "a.png")
    channels = 1 if mode == "LA" else 3
    assert (read_image(tmp_path / "a.png", channels) == values.reshape(12, 16, channels)).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("order", "<>")
def test_more_than_8_bits_keep_their_values(tmp_path: Path, dtype: type, order: str):
    values = (np.random.default_rng(0).gamma(2, 800, (40, 40))).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order)
    image = read_image(tmp_path / "a.tif", 3)
    assert (image == values[..., None]).all()
    assert image.shape == (40, 40, 3)
    assert image.dtype != np.uint8


def test_16_bit_png_is_read_like_tiff(tmp_path: Path):
    values = RAMP.astype(np.uint16) * 9 + 1000
    Image.fromarray(values).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", values)
    for name in ("a.png", "a.tif"):
        assert (read_image(tmp_path / name, 1) == values[..., None]).all()


def test_colour_of_16_bits_keeps_its_values(tmp_path: Path):
    values = COLOUR.astype(np.uint16) * 4
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    assert not is_grey(tmp_path / "a.tif")
    assert (read_image(tmp_path / "a.tif", 1) == values).all()


def test_pictures_are_stacked_as_channels_in_their_order(tmp_path: Path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, values in zip(paths, (RAMP[::-1], COLOUR), strict=True):
        Image.fromarray(values).save(path)
    image = read_channels(paths)
    assert image.dtype == np.uint8
    assert (image == np.concatenate([RAMP[::-1, :, None], COLOUR], axis=-1)).all()
    assert (read_channels(paths[1:]) == COLOUR).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.float32])
def test_a_channel_of_8_bits_keeps_its_values_beside_a_deeper_one(tmp_path: Path, dtype: type):
    deep = RAMP.astype(dtype) * 200
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", deep)
    image = read_channels([tmp_path / "a.png", tmp_path / "b.tif"])
    assert (image[..., 0] == RAMP).all()
    assert (image[..., 1] == deep).all()


def test_channels_of_other_sizes_are_named(tmp_path: Path):
    for name, values in {"a.png": RAMP, "b.png": RAMP, "c.png": RAMP.T}.items():
        Image.fromarray(values).save(tmp_path / name)
    with pytest.raises(RequestError, match=r"^'.*c\.png' is 12 x 16 pixels, '.*a\.png' 16 x 12 pixels$"):
        read_channels([tmp_path / name for name in ("a.png", "b.png", "c.png")])


def test_a_palette_is_colour_in_an_image_and_an_index_in_a_mask(tmp_path: Path):
    indexed = Image.fromarray(RAMP % 3)
    indexed.putpalette([10, 0, 0, 0, 20, 0, 0, 0, 30])
    indexed.save(tmp_path / "a.png")
    assert (read_values(tmp_path / "a.png") == RAMP % 3).all()
    assert not is_grey(tmp_path / "a.png")
    assert set(map(tuple, read_image(tmp_path / "a.png", 3).reshape(-1, 3))) == {(10, 0, 0), (0, 20, 0), (0, 0, 30)}


def test_1_bit_is_0_and_255(tmp_path: Path):
    Image.fromarray(RAMP > 90).save(tmp_path / "a.png")
    assert (read_values(tmp_path / "a.png") == np.where(RAMP > 90, 255, 0)).all()
    assert (read_image(tmp_path / "a.png", 1)[..., 0] == np.where(RAMP > 90, 255, 0)).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_a_mask_of_more_bits_keeps_its_values(tmp_path: Path, dtype: type):
    values = RAMP.astype(dtype) * 300
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert (read_values(tmp_path / "a.tif") == values).all()


def test_a_mask_with_equal_channels_is_grey(tmp_path: Path):
    Image.fromarray(RAMP).convert("RGBA").save(tmp_path / "a.png")
    assert (read_values(tmp_path / "a.png") == RAMP).all()


def test_a_mask_in_colour_is_refused(tmp_path: Path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    with pytest.raises(RequestError, match=r"mask '.*a\.png' is in colour"):
        read_values(tmp_path / "a.png")


def test_a_mask_of_fractions_is_refused(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 0.5, np.float32))
    with pytest.raises(RequestError, match=r"mask '.*a\.tif' holds values that are not whole"):
        read_values(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_lossy_mask_is_refused_whatever_it_is_called(tmp_path: Path, name: str):
    Image.fromarray(RAMP).save(tmp_path / name, format="JPEG")
    with pytest.raises(RequestError, match=rf"mask '.*{name}' is a JPEG, which changes values"):
        read_values(tmp_path / name)


def test_numbers_that_are_none_are_refused(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), np.nan, np.float32))
    with pytest.raises(RequestError, match=r"a\.tif' holds values that are not numbers"):
        read_image(tmp_path / "a.tif", 1)


@pytest.mark.parametrize("read", [lambda path: read_image(path, 1), read_values])
def test_a_stack_of_pages_is_refused(tmp_path: Path, read):
    for dtype in (np.uint8, np.uint32):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 8, 8), dtype), photometric="minisblack")
        with pytest.raises(RequestError, match=r"a\.tif' holds 3 pages"):
            read(tmp_path / "a.tif")


def test_16_bit_colour_that_would_lose_bits_is_refused(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png_of_16_bit_colour())
    with pytest.raises(RequestError, match=r"a\.png' has colour of 16 bits"):
        read_image(tmp_path / "a.png", 3)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp"])
@pytest.mark.parametrize("read", [lambda path: read_image(path, 1), read_values])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str, read):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"no image at all", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(RequestError, match=rf"a\.{suffix}'"):
            read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match=r"cannot read '.*a\.png': No such file"):
        read_image(tmp_path / "a.png", 1)


def test_a_mask_in_which_0_is_white_keeps_its_values(tmp_path: Path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 2:5] = 255
    tifffile.imwrite(tmp_path / "a.tif", mask, photometric="miniswhite")
    assert (read_values(tmp_path / "a.tif") == mask).all()


def test_to_import_the_reader_changes_nothing_in_the_process():
    script = """
import warnings
from PIL import Image
before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
import nestbench.formats.pictures
added = [f for f in warnings.filters if f not in before[1] and f[0] == "error"]
assert Image.MAX_IMAGE_PIXELS == before[0] and not added, added
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("limit", [4, 10**6, None])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp"])
def test_what_is_read_heeds_our_limit_and_leaves_the_hosts(tmp_path: Path, monkeypatch, suffix: str, limit: int | None):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    Image.fromarray(COLOUR).save(tmp_path / f"a.{suffix}")
    (tmp_path / f"b.{suffix}").write_bytes(b"rubbish")
    assert read_image(tmp_path / f"a.{suffix}", 3).shape == COLOUR.shape
    with pytest.raises(RequestError):
        read_image(tmp_path / f"b.{suffix}", 3)
    assert not is_grey(tmp_path / f"a.{suffix}")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_hosts_limit_returns_when_the_last_of_many_threads_has_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb")
    every = Barrier(4, timeout=60)

    def read(number: int) -> int | None:
        with opened(tmp_path / "a.tif") as picture:
            every.wait()
            return picture.load() and Image.MAX_IMAGE_PIXELS

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(4))) == {pictures.MOST_PIXELS}
    assert Image.MAX_IMAGE_PIXELS == 4


@pytest.mark.parametrize("more", [1, 12 * 16])
@pytest.mark.parametrize("host", ["error", "ignore"])
def test_more_pixels_are_refused_whatever_the_host_does_with_warnings(tmp_path: Path, monkeypatch, host, more: int):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MOST_PIXELS", RAMP.size // more - 1)
    with warnings.catch_warnings():
        warnings.simplefilter(host)
        with pytest.raises(RequestError, match=r"^cannot read '.*a\.png': it has more than \d+ pixels; cut it"):
            read_image(tmp_path / "a.png", 1)

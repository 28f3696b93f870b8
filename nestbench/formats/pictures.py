"""Image files as arrays: PNG, TIFF, JPEG and BMP, grey or in colour, of 8 bits and of more.

Pillow reads what it can hold exactly; tifffile reads the TIFFs that it cannot (colour of 16 bits, wide integers).
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nestbench.errors import RequestError

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
MOST_PIXELS = 2**30
"""Pixels of the largest image or volume that is read, 32,768 x 32,768: 3 GiB in colour, however small its file is."""

Pixels = NDArray[np.uint8]

_TIFF = (".tif", ".tiff")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L")
_GREY = ("1", "L", "LA", *_DEEP)
_EXACT = ("L", "RGB", "P", *_DEEP)
_LOSSY = ("JPEG", "MPO")
_PHOTOMETRIC = 262
_BITS_PER_SAMPLE = 258
_LOCK = Lock()
_FOUND: list[int | None] = []
"""Pillow's limit as it was found, below a tile of a slide: once for each picture that we have open."""

# A damaged file is reported once, in our own sentence.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def read_image(path: Path, channels: int) -> NDArray[Any]:
    """Read an image (H, W, C) as its values are stored, of 8 bits (uint8) or of more; transparency is dropped.

    Grey becomes ``channels`` equal channels; colour has three, however many are asked for.

    Raises RequestError that names the file: unreadable, or values that are not numbers.
    """
    with naming(path):
        values = _decoded(path, palette=False)
    planes = values[..., None] if values.ndim == 2 else values[..., : 1 if values.shape[-1] < 3 else 3]
    if planes.dtype.kind == "f" and not np.isfinite(planes).all():
        raise RequestError(f"image '{path}' holds values that are not numbers")
    return np.repeat(planes, channels, axis=-1) if planes.shape[-1] < channels else planes


def read_channels(paths: Sequence[Path]) -> NDArray[Any]:
    """Read pictures of one size as the channels of one image (H, W, C): grey is one channel, colour three.

    Values are as they are stored. Where some files have 8 bits and some more, all come in one type that holds them, and
    the 8-bit ones too count as a measurement from then on, as those of volumes do.

    Raises RequestError that names the file, or two of other sizes.
    """
    planes = [read_image(path, 1) for path in paths]
    for path, plane in zip(paths, planes, strict=True):
        if plane.shape[:2] != planes[0].shape[:2]:
            raise RequestError(f"'{path}' is {size_of(plane)}, '{paths[0]}' {size_of(planes[0])}")
    return np.concatenate(planes, axis=-1) if len(planes) > 1 else planes[0]


def read_values(path: Path) -> NDArray[np.int64]:
    """Read a mask's values (H, W) as they are stored; in a file with a palette the index is the value.

    Black and white of 1 bit are 0 and 255. Colour is accepted where the channels are equal.

    Raises RequestError that names the file, and refuses JPEG.
    """
    with naming(path):
        values = _decoded(path, palette=True)
    if values.ndim == 3:
        planes = values[..., : 1 if values.shape[-1] < 3 else 3]
        if (planes != planes[..., :1]).any():
            raise RequestError(f"mask '{path}' is in colour: a mask holds one value a pixel")
        values = planes[..., 0]
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        raise RequestError(f"mask '{path}' holds values that are not whole numbers")
    return values.astype(np.int64)


def is_grey(path: Path) -> bool:
    """Whether a file holds one channel, by its header; a file that cannot be read counts as grey."""
    try:
        with opened(path) as picture:
            return picture.mode in _GREY
    except Exception:  # what is wrong with the file is said when it is read
        return path.suffix.lower() not in _TIFF or _is_grey_tiff(path)


def size_of(values: NDArray[Any]) -> str:
    """Width and height in words."""
    return f"{values.shape[1]} x {values.shape[0]} pixels"


def _is_grey_tiff(path: Path) -> bool:
    try:
        with tifffile.TiffFile(path) as file:
            return bool(file.pages.first.samplesperpixel < 3)
    except Exception:
        return True


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into a RequestError that names the file."""
    try:
        yield
    except RequestError:
        raise
    except UnidentifiedImageError as error:
        raise RequestError(f"cannot read '{path}': it is damaged, or no image") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_large(path) from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RequestError(f"cannot read '{path}': {reason.splitlines()[0].rstrip('.')}") from error


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture, RequestError where it is too large; meanwhile, and no longer, Pillow's limit is MOST_PIXELS."""
    with _LOCK:
        _FOUND.append(_FOUND[0] if _FOUND else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(path) as picture:
            check_size(path, picture.width * picture.height)
            yield picture
    finally:
        with _LOCK:
            found = _FOUND.pop()
            Image.MAX_IMAGE_PIXELS = MOST_PIXELS if _FOUND else found


def check_size(path: Path, values: int, samples: int = 1) -> None:
    """Raise RequestError where so many values, ``samples`` a pixel (of which 4 at most are colour), are too many."""
    if values > MOST_PIXELS * min(samples, 4):
        raise _too_large(path)


def _too_large(path: Path) -> RequestError:
    return RequestError(f"cannot read '{path}': it has more than {MOST_PIXELS:,} pixels; cut it into tiles")


def _decoded(path: Path, *, palette: bool) -> NDArray[Any]:
    """The values by Pillow where it holds all of them, else by tifffile."""
    try:
        with opened(path) as picture:
            if palette and picture.format in _LOSSY:
                raise RequestError(f"mask '{path}' is a JPEG, which changes values: save masks as PNG or TIFF")
            if picture.format == "TIFF" and (pages := getattr(picture, "n_frames", 1)) > 1:
                raise RequestError(f"'{path}' holds {pages} pages: save each image in a file of its own")
            if not (_loses_bits(picture) or (palette and _is_inverted(picture))):
                return np.asarray(_plain(picture, palette=palette))
            if picture.format != "TIFF":
                raise RequestError(f"'{path}' has colour of 16 bits, which only TIFF is read with: save it as TIFF")
    except UnidentifiedImageError:
        if path.suffix.lower() not in _TIFF:
            raise
    return _with_tifffile(path)


def _plain(picture: Image.Image, *, palette: bool) -> Image.Image:
    if picture.mode in _EXACT and (palette or picture.mode != "P"):
        return picture
    return picture.convert("L" if picture.mode in _GREY else "RGB")


def _loses_bits(picture: Image.Image) -> bool:
    """Whether Pillow holds fewer bits than the file: it cuts colour to 8, and PNG tells so in its tiles alone."""
    stored = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    deep = max(stored, default=8) > 8 or ";16" in str(getattr(picture, "tile", ""))
    return deep and picture.mode not in _DEEP


def _is_inverted(picture: Image.Image) -> bool:
    """Whether 0 is white in the file: Pillow turns such values round, and a mask's values are its classes."""
    return bool(getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == 0)


def _with_tifffile(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        if len(file.pages) != 1:
            raise RequestError(f"'{path}' holds {len(file.pages)} pages: save each image in a file of its own")
        page = file.pages.first
        check_size(path, page.size, page.samplesperpixel)
        values = np.asarray(page.asarray())
        return np.moveaxis(values, 0, -1) if page.axes == "SYX" else values

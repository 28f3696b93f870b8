"""From a data set's cases to arrays on disk, written case by case."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from nestbench.datasets.contract import Case, Dataset, Labels, Pixels
from nestbench.datasets.problems import refuse
from nestbench.errors import RequestError

Progress = Callable[[int, int], None]
Row = dict[str, NDArray[Any]]
"""What one case adds to each array, by the array's name."""
Found = TypeVar("Found")


def write_arrays(
    folder: Path, dataset: Dataset, cases: Sequence[Case], size: int, progress: Progress | None = None
) -> str:
    """Read, resize and write every case; return the SHA-256 of what was written, ids and subjects included.

    Raises RequestError that names the files at fault, after every case has been tried.
    """
    digest = hashlib.sha256(json.dumps([astuple(case) for case in cases]).encode())
    problems: list[str] = []
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        rows = stack.enter_context(closing(try_each(cases, partial(_row, dataset, size))))
        for done, row in enumerate(rows, start=1):
            if isinstance(row, RequestError):
                problems.append(str(row))
            elif not problems:
                files = files or {n: stack.enter_context(_started(folder, n, row[n], len(cases))) for n in row}
                _append(files, row, digest.update)
            if progress:
                progress(done, len(cases))
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    refuse(f"{len(problems)} of the {len(cases)} cases of '{dataset.about.title}' cannot be used:", problems)
    return digest.hexdigest()


def try_each(cases: Sequence[Case], read: Callable[[Case], Found]) -> Generator[Found | RequestError]:
    """What ``read`` gives of each case, or why it refuses it, in their order.

    Several threads read: decoding leaves Python's lock alone.
    """

    def attempt(case: Case) -> Found | RequestError:
        try:
            return read(case)
        except RequestError as error:
            return error

    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        yield from pool.map(attempt, cases)
    finally:
        pool.shutdown(cancel_futures=True)


def _row(dataset: Dataset, size: int, case: Case) -> Row:
    image, mask, instances = dataset.read(case)
    if image.shape != (*mask.shape, dataset.channels):
        raise RequestError(f"case '{case.id}' has an image {image.shape} and a mask {mask.shape}: they do not fit")
    row: Row = {"images": resized_image(image, size), "masks": resized_mask(mask, size)}
    return row if instances is None else row | {"instances": resized_instances(instances, row["masks"])}


def resized_image(image: Pixels, size: int) -> Pixels:
    """Resize (H, W, C) to (size, size, C), bilinear, averaging over what a smaller pixel covers."""
    planes = [Image.fromarray(image[..., c]) for c in range(image.shape[2])]
    return np.stack([np.asarray(p.resize((size, size), Image.Resampling.BILINEAR)) for p in planes], axis=-1)


def resized_mask(mask: Pixels, size: int) -> Pixels:
    """Resize (H, W) to (size, size): each pixel takes the class that covers most of it.

    The nearest pixel's class would do for large objects; for small ones it makes borders ragged by chance, more than
    networks differ by.
    """
    classes = np.unique(mask)
    planes = [Image.fromarray((mask == c).astype(np.float32)) for c in classes]
    covered = [np.asarray(p.resize((size, size), Image.Resampling.BOX)) for p in planes]
    return np.asarray(classes[np.argmax(covered, axis=0)], dtype=np.uint8)


def resized_instances(instances: Labels, mask: Pixels) -> Labels:
    """Resize (H, W) by the nearest pixel to the resized mask's shape, and let every object end where the mask does."""
    height, width = mask.shape
    nearest = np.asarray(Image.fromarray(instances).resize((width, height), Image.Resampling.NEAREST))
    if not nearest.any():
        return np.asarray(mask > 0, dtype=np.int32)
    rows, columns = distance_transform_edt(nearest == 0, return_distances=False, return_indices=True)
    return np.asarray(np.where(mask > 0, nearest[rows, columns], 0), dtype=np.int32)


def _started(folder: Path, name: str, first: NDArray[Any], count: int) -> BinaryIO:
    """A file of ``count`` rows like ``first``, with its header written and no row yet."""
    file = (folder / f"{name}.npy").open("wb")
    descr = np.lib.format.dtype_to_descr(first.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": (count, *first.shape)}
    np.lib.format.write_array_header_2_0(file, header)
    return file


def _append(files: dict[str, BinaryIO], row: Row, digest: Callable[[bytes], None]) -> None:
    if row.keys() != files.keys():
        raise RequestError("the data set tells objects apart in some cases and not in others")
    for name, file in files.items():
        content = row[name].tobytes()
        file.write(content)
        digest(name.encode() + content)

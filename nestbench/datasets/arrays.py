"""From a data set's cases to bytes on disk, written case by case."""

import errno
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.datasets.contract import Case, Dataset, Sample
from nestbench.datasets.intensity import moments, to_bytes
from nestbench.datasets.objects import measure
from nestbench.datasets.resize import resampled, resized_image, resized_instances, resized_mask
from nestbench.errors import RequestError, refuse
from nestbench.study.data import DatasetSpec

Progress = Callable[[int, int], None]
Arrays = dict[str, NDArray[Any]]
"""What one case adds to each file, by the file's name: (D, H, W) and, for images, C; a picture's D is 1."""
Found = TypeVar("Found")


class Written(NamedTuple):
    """What was written, beside the files."""

    content: str
    """SHA-256 of all of it, ids and subjects included."""
    spaces: list[tuple[int, int, int]]
    """(D, H, W) of each case."""
    moments: list[tuple[float, float]]
    """Mean and deviation of each case."""
    spacings: list[tuple[float, ...] | None]
    """Millimetres along each axis of each case, as it is written."""
    objects: list[pd.DataFrame]
    """The objects of each case (``datasets.objects``), as it is written."""


class _Row(NamedTuple):
    arrays: Arrays
    moments: tuple[float, float]
    spacing: tuple[float, ...] | None
    objects: pd.DataFrame


def write_arrays(
    folder: Path, dataset: Dataset, cases: Sequence[Case], spec: DatasetSpec, progress: Progress | None = None
) -> Written:
    """Read every case, bring it to 8 bits and to its size, and write it.

    Raises RequestError that names the files at fault, after every case has been tried, and the system's error of a full
    disk, in bytes, before a case is written that does not fit on it.
    """
    digest = hashlib.sha256(json.dumps([astuple(case)[:2] for case in cases]).encode())
    problems: list[str] = []
    written = Written("", [], [], [], [])
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        rows = stack.enter_context(closing(try_each(cases, partial(_row, dataset, spec))))
        for done, row in enumerate(rows, start=1):
            if isinstance(row, RequestError):
                problems.append(str(row))
            elif not problems:
                files = files or {n: stack.enter_context((folder / f"{n}.bin").open("wb")) for n in row.arrays}
                _check_room(folder, row, (done, len(cases)), sum(file.tell() for file in files.values()))
                _append(files, row.arrays, digest.update)
                _note(written, row)
            if progress:
                progress(done, len(cases))
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    refuse(f"{len(problems)} of the {len(cases)} cases of '{dataset.about.title}' cannot be used:", problems)
    return written._replace(content=digest.hexdigest())


def try_each(cases: Sequence[Case], read: Callable[[Case], Found]) -> Generator[Found | RequestError]:
    """What ``read`` gives of each case, or why it refuses it, in their order.

    Several threads read: decoding leaves Python's lock alone. They are never more than a case ahead each, so that
    what is read does not pile up.
    """

    def attempt(case: Case) -> Found | RequestError:
        try:
            return read(case)
        except RequestError as error:
            return error

    threads = min(8, os.cpu_count() or 1)
    ahead: deque[Future[Found | RequestError]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for case in cases:
            if len(ahead) > threads:
                yield ahead.popleft().result()
            ahead.append(pool.submit(attempt, case))
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def read_sound(dataset: Dataset, case: Case) -> Sample:
    """What a data set reads, once it is certain that it keeps its word of shapes and classes.

    Raises RequestError, as ``read`` does.
    """
    sample = dataset.read(case)
    image, mask = sample.image.shape, sample.mask.shape
    if image != (*mask, dataset.channels):
        raise RequestError(f"case '{case.id}' has an image {image} and a mask {mask}: they do not fit")
    if sample.mask.max(initial=0) >= len(dataset.classes):
        raise RequestError(
            f"case '{case.id}' has the label {sample.mask.max()}, and there are {len(dataset.classes)} classes"
        )
    return sample


def _row(dataset: Dataset, spec: DatasetSpec, case: Case) -> _Row:
    sample = read_sound(dataset, case)
    space, spacing = _target(sample, spec, case)
    image = resized_image(to_bytes(sample.image, spec.window, spec.percentiles, f"case '{case.id}'"), space)
    mask = resized_mask(sample.mask, space)
    instances = None if sample.instances is None else resized_instances(sample.instances, mask)
    objects = measure(mask, instances, spacing)
    arrays: Arrays = {"images": image, "masks": mask} | ({} if instances is None else {"instances": instances})
    if len(space) == 2:
        arrays = {name: values[None] for name, values in arrays.items()}
    return _Row(arrays, moments(image, windowed=spec.window is not None), spacing, objects)


def _target(sample: Sample, spec: DatasetSpec, case: Case) -> tuple[tuple[int, ...], tuple[float, ...] | None]:
    """Pixels along each axis that a case is brought to, and the millimetres between them."""
    space, spacing = sample.mask.shape, sample.spacing
    if spec.spacing is not None:
        space = resampled(space, spacing, spec.spacing, f"case '{case.id}'")
    if spec.size is not None:
        space = (*space[:-2], spec.size, spec.size)
    if spacing is not None:
        spacing = tuple(own * n / new for own, n, new in zip(spacing, sample.mask.shape, space, strict=True))
    return space, spacing


def _check_room(folder: Path, row: _Row, case: tuple[int, int], held: int) -> None:
    """Raise the system's error for a full disk where a case does not fit beside the ``held`` bytes before it."""
    size, (number, total) = sum(values.nbytes for values in row.arrays.values()), case
    if size > shutil.disk_usage(folder).free:
        every = (held + size) * total // number
        raise OSError(errno.ENOSPC, f"case {number} of {total} takes {size:,} bytes, all of them about {every:,}")


def _note(written: Written, row: _Row) -> None:
    depth, height, width = row.arrays["masks"].shape
    written.spaces.append((depth, height, width))
    written.moments.append(row.moments)
    written.spacings.append(row.spacing)
    written.objects.append(row.objects)


def _append(files: dict[str, BinaryIO], arrays: Arrays, digest: Callable[[bytes | memoryview], None]) -> None:
    if arrays.keys() != files.keys():
        raise RequestError("the data set tells objects apart in some cases and not in others")
    for name, file in files.items():
        content = np.ascontiguousarray(arrays[name])
        file.write(content.data)
        digest(f"{name} {content.shape}".encode())
        digest(content.data)

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copyfileobj
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nestbench.errors import RequestError
from nestbench.formats import npz

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "one.npz", images=IMAGES, names=np.array(["a", "b"]))
    return tmp_path / "one.npz"


def claiming(path: Path, header: dict[str, object], content: bytes = b"", version: bytes = b"\x01\x00") -> Path:
    """An .npz with one array that claims to be what ``header`` says."""
    text = repr(header).encode() + b"\n"
    member = b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", member)
    return path


@given(
    values=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32, np.bool_, ">u2"]),
        hnp.array_shapes(min_dims=1, max_dims=4, max_side=5),
    ),
    by_column=st.booleans(),
    packed=st.booleans(),
)
def test_an_array_is_what_numpy_reads(tmp_path_factory: pytest.TempPathFactory, values, by_column: bool, packed: bool):
    path = tmp_path_factory.mktemp("npz") / "any.npz"
    (np.savez_compressed if packed else np.savez)(path, a=np.asarray(values, order="F" if by_column else "C"), b=IMAGES)
    with np.load(path, allow_pickle=False) as oracle:
        found = np.stack([npz.item(path, "a", index) for index in range(len(values))])
        assert npz.headers(path)["a"].dtype == oracle["a"].dtype
        assert np.array_equal(found, oracle["a"], equal_nan=values.dtype.kind == "f")
        assert {name: header.shape for name, header in npz.headers(path).items()} == {"a": values.shape, "b": (2, 3, 4)}


def test_headers_are_read_without_values(one: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(npz, "TemporaryFile", None)
    assert npz.headers(one)["images"][:3] == ((2, 3, 4), np.uint8, False)


def test_an_array_is_unpacked_once_and_by_one_thread(one: Path, monkeypatch: pytest.MonkeyPatch):
    locked: list[bool] = []
    monkeypatch.setattr(npz, "copyfileobj", lambda *given: (locked.append(npz._LOCK.locked()), copyfileobj(*given)))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: npz.item(one, "images", 1), range(16)))
    assert locked == [True]
    assert all((each == IMAGES[1]).all() for each in found)


def test_a_changed_file_is_read_anew(one: Path):
    assert npz.item(one, "images", 1)[2, 3] == 23
    np.savez_compressed(one, images=IMAGES + 1)
    os.utime(one, ns=(1, 1))
    assert npz.item(one, "images", 1)[2, 3] == 24


def test_python_objects_are_never_unpickled(tmp_path: Path):
    np.savez(tmp_path / "bad.npz", images=np.array([print], dtype=object))
    for ask in (npz.headers, lambda path: npz.item(path, "images", 0)):
        with pytest.raises(RequestError, match=r"'images\.npy' of '.*bad\.npz' holds Python objects"):
            ask(tmp_path / "bad.npz")


def test_an_array_that_claims_too_much_is_refused(tmp_path: Path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**20, 2**14)}
    path = claiming(tmp_path / "bomb.npz", header, bytes(2**16))
    with pytest.raises(RequestError, match=r"has 17,179,869,184 bytes, and 8,589,934,592 is the most"):
        npz.item(path, "images", 0)


@pytest.mark.parametrize("shape", [(3,), (5,), (2, 2, 2), (2**40, 0), (-4,), (-2, -2)])
def test_an_array_of_more_or_less_than_it_claims_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    path = claiming(tmp_path / "odd.npz", {"descr": "|u1", "fortran_order": False, "shape": shape}, bytes(4))
    with pytest.raises(RequestError, match=r"'images\.npy' of '.*odd\.npz' is damaged: 4 bytes for "):
        npz.headers(path)


@pytest.mark.parametrize(
    "header", [{"descr": "|u1"}, {"descr": "nothing", "fortran_order": False, "shape": (4,)}, {"shape": "__import__"}]
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, header: dict[str, object]):
    with pytest.raises(RequestError, match=r"^cannot read '.*bad\.npz': "):
        npz.headers(claiming(tmp_path / "bad.npz", header, bytes(4)))


def test_an_unknown_version_is_refused(tmp_path: Path):
    path = claiming(tmp_path / "new.npz", {}, version=b"\x09\x00")
    with pytest.raises(RequestError, match=r"new\.npz"):
        npz.headers(path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named(one: Path, part: float):
    content = one.read_bytes()
    one.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(RequestError, match=r"^cannot read '.*one\.npz': "):
        npz.item(one, "images", 0)


def test_a_changed_byte_is_found(tmp_path: Path):
    np.savez(tmp_path / "one.npz", images=IMAGES)
    content = (tmp_path / "one.npz").read_bytes()
    place = content.index(bytes(range(10)))
    (tmp_path / "one.npz").write_bytes(content[:place] + b"\x63" + content[place + 1 :])
    with pytest.raises(RequestError, match=r"^cannot read '.*one\.npz': Bad CRC-32 for file 'images\.npy'"):
        npz.item(tmp_path / "one.npz", "images", 0)


def test_a_full_disk_is_named(one: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(npz, "copyfileobj", full)
    with pytest.raises(RequestError, match=r"cannot unpack 'images' of '.*one\.npz' in '.*': No space left on device"):
        npz.item(one, "images", 0)

"""Archives of every kind, and every way that one may be hostile or damaged."""

import io
import random
import stat
import struct
import tarfile
import warnings
import zipfile
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.datasets.fetch.content import content_of
from nestbench.datasets.fetch.members import FREE_BYTES, Member
from nestbench.datasets.fetch.unpack import unpack
from nestbench.errors import RunError

SUFFIXES = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz")
NAMES = st.text("abcdeäß_ -", min_size=1, max_size=8).filter(lambda name: name.strip() == name)


def silent(what, done, total):
    pass


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in files:
            archive.writestr(name, content)
    return path


def tarred(path, files):
    packing = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}.get(path.name.rpartition(".")[2], "")
    with tarfile.open(path, f"w:{packing}") as archive:
        for name, content in files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def packed(path, files):
    return zipped(path, files) if path.suffix == ".zip" else tarred(path, files)


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def written(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive, folder):
    with pytest.raises(RunError) as raised:
        unpack(archive, folder, "", silent)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_becomes_the_folder_of_its_files(tmp_path, suffix):
    files = {"./a/one.png": b"one", "a/two.png": b"", "three": b"3" * 100_000}
    told = []
    archive = packed(tmp_path / f"x.{suffix}", files.items())
    unpack(archive, tmp_path / "out", "", lambda *step: told.append(step))
    assert written(tmp_path / "out") == {"a/one.png": b"one", "a/two.png": b"", "three": b"3" * 100_000}
    assert told[-1] == ("unpacking", 100_003, 100_003)


@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=50), min_size=1))
def test_zip_and_tar_give_what_was_packed_or_refuse_both(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("law")
    sums = set()
    for suffix in ("zip", "tar.gz"):
        try:
            unpack(packed(folder / f"x.{suffix}", files.items()), folder / suffix, "", silent)
        except RunError:  # names that some system does not tell apart
            sums.add("")
        else:
            assert written(folder / suffix) == files
            sums.add(content_of(folder / suffix))
    assert len(sums) == 1


def test_only_the_part_that_is_asked_for_is_taken(tmp_path):
    files = [("top/Dataset 1/001.bmp", b"a"), ("top/Dataset 10/001.bmp", b"b"), ("top/readme", b"c"), ("top/", b"")]
    unpack(zipped(tmp_path / "x.zip", files), tmp_path / "out", "top/Dataset 1", silent)
    assert written(tmp_path / "out") == {"001.bmp": b"a"}


def test_a_part_that_is_not_there_is_said(tmp_path):
    archive = zipped(tmp_path / "x.zip", [("top/a", b"a")])
    with pytest.raises(RunError, match="it holds no file below 'top/b'"):
        unpack(archive, tmp_path / "out", "top/b", silent)


def test_what_a_system_left_in_the_archive_is_left_out(tmp_path):
    files = [("a", b"a"), ("__MACOSX/a/._a", b"x"), ("._a", b"x"), ("b/.DS_Store", b"x")]
    unpack(zipped(tmp_path / "x.zip", files), tmp_path / "out", "", silent)
    assert written(tmp_path / "out") == {"a": b"a"}


HOSTILE = {
    "a place on this machine": (["/etc/passwd"], "some machine"),
    "a place on another machine": (["C:/windows"], "some machine"),
    "a name of another system": (["..\\..\\x"], "some machine"),
    "a name that leads out": (["../x"], "leads out"),
    "a name that leads out by a detour": (["a/../../x"], "leads out"),
    "a name that leads nowhere": (["."], "leads out"),
    "a line break": (["a\nb"], "no name should have"),
    "a name that is too long": (["a" * 256], "255 bytes"),
    "a name that is too long in bytes": (["ä" * 128], "255 bytes"),
    "a path that is too long": (["/".join(["a" * 99] * 11)], "1000 in all"),
    "two files of one name": (["a", "a"], "two members of the name 'a'"),
    "two files of one place": (["a/b", "a/./b"], "two members of the name 'a/b'"),
    "a file above a file": (["a", "a/b"], "two members of the name 'a'"),
    "a file below a file": (["a/b", "a"], "two members of the name 'a'"),
    "files that differ in case": (["a/x.png", "a/X.png"], "'a/x.png' and 'a/X.png' differ in case"),
    "folders that differ in case": (["a/x", "A/y"], "'a' and 'A' differ in case"),
    "files that differ in how an umlaut is made": (["\u00e4", "a\u0308"], "differ in case"),
}


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_name_is_refused_before_anything_is_written(tmp_path, suffix, case):
    names, wanted = HOSTILE[case]
    files = [("harmless", b"x"), *((name, b"x") for name in names)]
    assert wanted in refused(packed(tmp_path / f"x.{suffix}", files), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.FIFOTYPE, "a device"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
    ],
)
def test_what_is_no_file_is_refused_before_anything_is_written(tmp_path, kind, wanted):
    archive = tarred(tmp_path / "x.tar", [("harmless", b"x"), (special("sly", kind, "harmless"), b"")])
    assert refused(archive, tmp_path / "out") == f"its member 'sly' is {wanted}"
    assert not (tmp_path / "out").exists()


def test_a_link_in_a_zip_is_refused_before_anything_is_written(tmp_path):
    archive = zipped(tmp_path / "x.zip", [("harmless", b"x"), (zip_link("sly"), b"/etc/passwd")])
    assert refused(archive, tmp_path / "out") == "its member 'sly' is a link"
    assert not (tmp_path / "out").exists()


def test_an_encrypted_member_is_refused_before_anything_is_written(tmp_path):
    archive = zipped(tmp_path / "x.zip", [("secret", b"x")])
    content = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place] |= 1
    archive.write_bytes(content)
    assert refused(archive, tmp_path / "out") == "its member 'secret' is encrypted"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_a_bomb_is_refused_before_anything_is_written(tmp_path, suffix):
    half = b"\0" * (FREE_BYTES // 2 + 1)
    archive = packed(tmp_path / f"x.{suffix}", [("a", half), ("b", half)])
    assert "hold more than 200 times as much" in refused(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("declared", "held"), [(3, b"12345"), (7, b"12345"), (0, b"1")])
def test_a_member_that_holds_other_than_it_declares_is_stopped(tmp_path, monkeypatch, declared, held):
    @contextmanager
    def lying(_):
        yield [Member("a", declared, "a file", lambda: io.BytesIO(held))]

    monkeypatch.setattr("nestbench.datasets.fetch.unpack.members_of", lying)
    (tmp_path / "x.zip").write_bytes(b"")
    assert f"the {declared} bytes that it declares" in refused(tmp_path / "x.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a").stat().st_size <= declared


def test_a_zip_whose_directory_lies_about_a_size_is_refused(tmp_path):
    archive = zipped(tmp_path / "x.zip", [("a", b"\0" * 10_000)])
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\1\2") + 24, 10)
    archive.write_bytes(content)
    assert "damaged" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_an_archive_that_ends_early_is_refused(tmp_path, suffix, share):
    noise = random.Random(0).randbytes(30_000)
    archive = packed(tmp_path / f"x.{suffix}", [("a", noise), ("b", noise)])
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    assert refused(archive, tmp_path / "out")


@pytest.mark.parametrize("damage", [slice(1024, 1024 + 512), slice(1024, None)])
def test_a_tar_that_is_damaged_in_its_middle_loses_no_file_unsaid(tmp_path, damage):
    archive = tarred(tmp_path / "x.tar", [("a", b"a"), ("b", b"b"), ("c", b"c")])
    content = bytearray(archive.read_bytes())
    content[damage] = b"?" * (512 if damage.stop else 0)
    archive.write_bytes(content)
    assert "damaged" in refused(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_no_archive_is_refused(tmp_path, suffix):
    archive = tmp_path / f"x.{suffix}"
    archive.write_bytes(b"<html>not found</html>" * 100)
    assert "damaged" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_of_nothing_is_refused(tmp_path, suffix):
    assert refused(packed(tmp_path / f"x.{suffix}", []), tmp_path / "out") == "it holds no file"

import errno
import fcntl
import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from nestbench.datasets.contract import About, Download
from nestbench.datasets.fetch.content import content_of
from nestbench.datasets.fetch.place import Fetched, fetch, fetch_all
from nestbench.datasets.fetch.transfer import Patience
from nestbench.errors import RequestError, RunError

FILES = {"a/images/a.png": b"image" * 999, "a/masks/0.png": b"mask", "b/images/b.png": b"another"}
ONCE = Patience(silence=10, pauses=())


def silent(what, done, total):
    pass


def zipped(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


ZIP = zipped(FILES)
SHA, MD5 = hashlib.sha256(ZIP).hexdigest(), hashlib.md5(ZIP).hexdigest()


@pytest.fixture
def url(server, page):
    return server.serve("/train.zip", page(ZIP))


@pytest.fixture
def place(tmp_path):
    return tmp_path / "nuclei" / "train"


@pytest.fixture
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wanted")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return content_of(folder)


def get(url, root, folder="nuclei/train", **known):
    return fetch(Download(url, folder, **known), root, silent, ONCE)


def refused(error, *args, **known):
    with pytest.raises(error) as raised:
        get(*args, **known)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def stop(*_, **__):
    raise KeyboardInterrupt


def written(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("known", [{}, {"sha256": SHA}, {"md5": MD5}, {"sha256": SHA.upper(), "size": len(ZIP)}])
def test_an_archive_becomes_the_folder_of_its_files_and_nothing_else(url, tmp_path, place, known):
    assert get(url, tmp_path, **known) == Fetched(place, is_new=True)
    assert written(place) == FILES
    assert written(tmp_path).keys() - {f"nuclei/train/{name}" for name in FILES} == {"nuclei/.train.fetch/record.json"}
    assert [path.name for path in place.parent.glob(".train.fetch/*")] == ["record.json"]


def test_what_is_there_is_not_fetched_again(url, server, tmp_path, place):
    get(url, tmp_path)
    assert get(url, tmp_path) == Fetched(place, is_new=False)
    assert len(server.asked) == 1


def test_the_content_is_checked_where_it_is_known(url, tmp_path, place, content):
    get(url, tmp_path, content=content)
    assert content_of(place) == content


def test_what_somebody_put_there_is_taken_where_it_is_what_should_be(url, server, tmp_path, place, content):
    for name, held in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(held)
    assert get(url, tmp_path, content=content) == Fetched(place, is_new=False)
    assert not server.asked
    assert written(tmp_path) == {f"nuclei/train/{name}": held for name, held in FILES.items()}


@pytest.mark.parametrize("known", [{}, {"content": "0" * 64}])
def test_what_somebody_put_there_is_never_overwritten(url, server, tmp_path, place, known):
    place.mkdir(parents=True)
    (place / "mine.png").write_text("mine")
    assert str(place) in refused(RequestError, url, tmp_path, **known)
    assert written(tmp_path) == {"nuclei/train/mine.png": b"mine"}
    assert not server.asked


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place / "a/masks/0.png").write_bytes(b"mark"),
        lambda place: (place / "a/masks/0.png").unlink(),
        lambda place: (place / "mine.png").write_bytes(b"mine"),
    ],
)
def test_what_was_changed_since_is_said_and_kept(url, server, tmp_path, place, change):
    get(url, tmp_path)
    change(place)
    before = written(place)
    assert "changed, added or taken away" in refused(RequestError, url, tmp_path)
    assert written(place) == before
    assert len(server.asked) == 1


def test_what_came_from_elsewhere_is_not_taken_for_this(server, page, url, tmp_path):
    get(url, tmp_path)
    other = server.serve("/other.zip", page(zipped({"c": b"c"})))
    assert "was not put there by fetch" in refused(RequestError, other, tmp_path)


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"url": 1}'])
def test_a_record_that_cannot_be_read_is_none(url, tmp_path, place, record):
    get(url, tmp_path)
    (place.parent / ".train.fetch" / "record.json").write_text(record)
    assert "was not put there by fetch" in refused(RequestError, url, tmp_path)


def test_an_empty_folder_is_filled(url, tmp_path, place):
    place.mkdir(parents=True)
    get(url, tmp_path)
    assert written(place) == FILES


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_wrong_bytes_are_thrown_away_and_both_sums_said(url, server, tmp_path, place, known):
    said = refused(RunError, url, tmp_path, **known)
    assert next(iter(known.values())) in said
    assert (SHA if "sha256" in known else MD5) in said
    assert url in said
    assert written(tmp_path) == {}
    get(url, tmp_path, sha256=SHA)
    assert [asked["Range"] for asked in server.asked] == [None, None]
    assert written(place) == FILES


def test_wrong_content_is_thrown_away_and_both_sums_said(url, tmp_path, place, content):
    said = refused(RunError, url, tmp_path, content="0" * 64)
    assert content in said
    assert "0" * 64 in said
    assert not place.exists()
    get(url, tmp_path, content=content)
    assert written(place) == FILES


@pytest.mark.parametrize("body", [zipped({"../sly": b"x"}), b"<html>", b""])
def test_a_bad_archive_is_thrown_away(server, page, tmp_path, place, body):
    url = server.serve("/bad.zip", page(body))
    said = refused(RunError, url, tmp_path)
    assert said.startswith(f"what '{url}' sent was thrown away: ")
    assert not place.exists()
    assert written(tmp_path) == {}


def test_a_download_that_broke_off_goes_on_and_is_checked_whole(server, page, tmp_path, place):
    url = server.serve("/train.zip", page(ZIP, cuts=[2000]))
    assert "2,000 bytes are kept" in refused(RunError, url, tmp_path, sha256=SHA)
    get(url, tmp_path, sha256=SHA)
    assert server.asked[1]["Range"] == "bytes=2000-"
    assert written(place) == FILES


def test_a_file_that_is_no_archive_is_kept_as_it_is(server, page, tmp_path):
    url = server.serve("/cells_256.npz?download=1", page(ZIP))
    place = tmp_path / "sets" / "cells_256.npz"
    assert get(url, tmp_path, "sets", sha256=SHA) == Fetched(place, is_new=True)
    assert place.read_bytes() == ZIP
    assert get(url, tmp_path, "sets", sha256=SHA) == Fetched(place, is_new=False)
    assert len(server.asked) == 1


def test_two_files_lie_beside_each_other(server, page, tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        get(server.serve(f"/{name}", page(name.encode())), tmp_path, "sets")
    assert sorted(path.name for path in (tmp_path / "sets").glob("[!.]*")) == ["a.nii.gz", "b.nii.gz"]


def test_a_part_of_an_archive_becomes_the_folder(server, page, tmp_path):
    url = server.serve("/x.zip", page(zipped({"top/Dataset 1/1.png": b"1", "top/readme": b"me"})))
    get(url, tmp_path, "cell/Dataset 1", part="top/Dataset 1")
    assert written(tmp_path / "cell" / "Dataset 1") == {"1.png": b"1"}


def test_a_tar_becomes_the_folder_of_its_files_too(server, page, tmp_path, place):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.nii")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"voxel"))
    get(server.serve("/x.tar.gz", page(held.getvalue())), tmp_path)
    assert written(place) == {"a.nii": b"voxel"}


STEPS = {
    "checking the archive": "pooch.core.hash_matches",
    "reading the archive": "nestbench.datasets.fetch.unpack.accepted",
    "unpacking a file": "nestbench.datasets.fetch.unpack._copy",
    "checking the content": "nestbench.datasets.fetch.place.content_of",
    "writing to the disk": "nestbench.datasets.fetch.place.settle",
    "writing the record": "nestbench.datasets.fetch.place.write_json",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_fetch_that_is_stopped_leaves_nothing_and_goes_on_without_a_download(
    url, server, tmp_path, place, monkeypatch, step
):
    with monkeypatch.context() as patch:
        patch.setattr(STEPS[step], stop)
        with pytest.raises(KeyboardInterrupt):
            get(url, tmp_path, sha256=SHA)
    assert not place.exists()
    get(url, tmp_path, sha256=SHA)
    assert len(server.asked) == 1
    assert written(place) == FILES
    assert [path.name for path in place.parent.glob(".train.fetch/*")] == ["record.json"]


def test_a_fetch_that_is_stopped_before_its_last_step_leaves_nothing_and_goes_on(
    url, server, tmp_path, place, monkeypatch
):
    replace = Path.replace

    def stop_there(path, target):
        return stop() if target == place else replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop_there)
        with pytest.raises(KeyboardInterrupt):
            get(url, tmp_path)
    assert not place.exists()
    get(url, tmp_path)
    assert len(server.asked) == 1
    assert written(place) == FILES


def test_a_fetch_that_is_stopped_after_the_last_step_was_a_whole_one(url, server, tmp_path, place, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("nestbench.datasets.fetch.place._tidy", stop)
        with pytest.raises(KeyboardInterrupt):
            get(url, tmp_path)
    assert get(url, tmp_path) == Fetched(place, is_new=False)
    assert written(place) == FILES
    assert [path.name for path in place.parent.glob(".train.fetch/*")] == ["record.json"]


def test_a_disk_without_hard_links_serves_too(url, tmp_path, place, monkeypatch):
    def unable(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", unable)
    get(url, tmp_path, sha256=SHA)
    assert written(place) == FILES


def test_a_second_process_is_told_of_the_first(url, server, tmp_path, place):
    workshop = place.parent / ".train.fetch"
    workshop.mkdir(parents=True)
    handle = os.open(workshop, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        assert "another process" in refused(RequestError, url, tmp_path)
    finally:
        os.close(handle)
    assert not server.asked


def test_what_a_quicker_process_put_there_stays(url, server, tmp_path, place, monkeypatch):
    def be_quicker(workshop):
        monkeypatch.undo()
        get(url, tmp_path)

    monkeypatch.setattr("nestbench.datasets.fetch.place.writable", be_quicker)
    assert get(url, tmp_path).place == place
    assert written(place) == FILES
    assert len(server.asked) == 1


def test_a_disk_that_is_too_small_for_what_is_known_is_found_before_the_server_is_asked(
    url, server, tmp_path, monkeypatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1500))
    assert "2.0 kB are needed and 1.5 kB are free" in refused(RunError, url, tmp_path, size=1000)
    assert not server.asked


def test_a_disk_that_is_too_small_for_the_files_is_found_before_the_first_one(server, page, tmp_path, monkeypatch):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"0" * 100_000)
    url = server.serve("/x.zip", page(held.getvalue()))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))
        assert "100.0 kB are needed and 50.0 kB are free" in refused(RunError, url, tmp_path)
    get(url, tmp_path)
    assert len(server.asked) == 1


def test_a_disk_that_fills_meanwhile_is_one_sentence_and_the_archive_is_kept(url, server, tmp_path, place, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nestbench.datasets.fetch.unpack._copy", full)
        assert "No space left on device; what came so far is kept" in refused(RunError, url, tmp_path)
    assert not place.exists()
    get(url, tmp_path)
    assert len(server.asked) == 1


def test_a_root_that_takes_no_files_is_one_sentence(url, tmp_path):
    (tmp_path / "nuclei").write_text("a file")
    assert str(tmp_path / "nuclei") in refused(RequestError, url, tmp_path)


def test_every_download_of_a_data_set_is_fetched_in_turn(server, page, tmp_path):
    urls = [server.serve(f"/{name}.zip", page(zipped({name: b"x"}))) for name in ("a", "b")]
    about = About("Set", "CC0", "", "", tuple(Download(url, url[-5]) for url in urls))
    places = [fetched.place for fetched in fetch_all("set", about, tmp_path, silent, ONCE)]
    assert places == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(("obtain", "wanted"), [("register at x and unpack y into z", "register at x"), ("", "own")])
def test_a_data_set_without_downloads_says_what_to_do(tmp_path, obtain, wanted):
    with pytest.raises(RequestError, match=rf"^data set 'set' cannot be fetched: .*{wanted}"):
        list(fetch_all("set", About("Set", "CC0", "", "", obtain=obtain), tmp_path, silent))

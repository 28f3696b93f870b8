import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nestbench import plugins
from nestbench.cli import answer
from nestbench.datasets.contract import About, Download
from nestbench.errors import RequestError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Remote:
    """A data set of another package, of which two files are on a server."""

    about = About("Remote", "CC0-1.0", "", "")

    def __init__(self, root: Path, /, **options: object) -> None:
        if options:
            raise RequestError(f"unknown key '{next(iter(options))}'")


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Remote]]:
    (tmp_path / "server").mkdir()
    with zipfile.ZipFile(tmp_path / "server" / "train.zip", "w") as archive:
        archive.writestr("a.png", b"image")
    point = EntryPoint("remote", f"{__name__}:Remote", "nestbench.datasets")
    monkeypatch.setattr(plugins, "available", lambda _: {"remote": point})
    monkeypatch.setattr(plugins, "packages", lambda _: {"remote": ("elsewhere",)})
    monkeypatch.setattr(EntryPoint, "load", lambda _: Remote)
    monkeypatch.setenv("NO_PROXY", "*")
    handler = partial(Quiet, directory=str(tmp_path / "server"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        root = f"http://127.0.0.1:{server.server_port}"
        downloads = (Download(f"{root}/train.zip", "remote/train"),)
        monkeypatch.setattr(Remote, "about", About("Remote", "CC0-1.0", "", "", downloads))
        yield Remote
        server.shutdown()
        thread.join()


def test_a_data_set_is_fetched_once(remote: type[Remote], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["dataset", "fetch", "remote", "--data", str(tmp_path / "data")]
    place = tmp_path / "data" / "remote" / "train"
    assert answer(command) == 0
    assert capsys.readouterr() == (f"fetched: {place}\n", "")
    assert (place / "a.png").read_bytes() == b"image"
    assert answer(command) == 0
    assert capsys.readouterr() == (f"there already: {place}\n", "")


def test_what_cannot_be_had_is_one_sentence_and_exit_code_1(
    remote: type[Remote], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Download(f"{remote.about.downloads[0].url}.gone", "remote/gone")
    monkeypatch.setattr(remote, "about", About("Remote", "CC0-1.0", "", "", (*remote.about.downloads, gone)))
    assert answer(["dataset", "fetch", "remote", "--data", str(tmp_path / "data")]) == 1
    said = capsys.readouterr()
    assert said.out == f"fetched: {tmp_path / 'data' / 'remote' / 'train'}\n"
    assert said.err == f"error: cannot fetch '{gone.url}': the server answers 404 File not found\n"


def test_what_is_in_the_way_is_one_sentence_and_exit_code_2(
    remote: type[Remote], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "data" / "remote" / "train" / "mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    assert answer(["dataset", "fetch", "remote", "--data", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert mine.read_bytes() == b"mine"


def test_a_set_behind_a_registration_says_where_to_go_and_exit_code_2(
    remote: type[Remote], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote, "about", About("Remote", "", "", "", obtain="register at x and put y into z"))
    assert answer(["dataset", "fetch", "remote"]) == 2
    said = capsys.readouterr().err
    assert said == "error: data set 'remote' cannot be fetched: register at x and put y into z\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["synthetic"], "'synthetic' cannot be fetched"),
        (["folder", "--option", "path=mine"], "'folder' cannot be fetched"),
        (["synthetic", "--option", "cazes=9"], "did you mean 'cases'?"),
        (["synthetik"], "synthetic"),
    ],
)
def test_a_wrong_request_is_one_sentence(words: list[str], wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["dataset", "fetch", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert wanted in said

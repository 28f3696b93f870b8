"""A server of this machine that breaks off, goes silent and changes its mind, as each page is told."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Page:
    body: bytes = b""
    mark: str = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    heeds_mark: bool = True
    repeats_mark: bool = True
    says_range: str = ""
    """In place of the true range."""
    announces: bool = True
    piece: int = 1_000_000
    """Bytes of an answer at most, where a range was asked for."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each of the first answers breaks off."""
    statuses: list[int] = field(default_factory=list)
    """Of the first answers, which have no body."""
    is_silent: bool = False


@dataclass
class Server:
    root: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Message] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, page: Page) -> str:
        self.pages[path] = page
        return self.root + path


class Handler(BaseHTTPRequestHandler):
    server: "Listener"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        told = self.server.told
        told.asked.append(self.headers)
        page = told.pages.get(self.path, Page(statuses=[404]))
        if page.is_silent:
            told.ends.wait(60)
        elif page.statuses:
            self.send_response(page.statuses.pop(0))
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
        else:
            self.send_body(page)

    def send_body(self, page: Page) -> None:
        start = self.start(page)
        if start >= len(page.body) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        rest = page.body[start : start + page.piece] if start else page.body
        if start:
            true = f"bytes {start}-{start + len(rest) - 1}/{len(page.body)}"
            self.send_header("Content-Range", page.says_range or true)
        if page.mark and (page.repeats_mark or not start):
            self.send_header("ETag", page.mark)
        if page.announces:
            self.send_header("Content-Length", str(len(rest)))
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(rest[: page.cuts.pop(0)] if page.cuts else rest)

    def start(self, page: Page) -> int:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_known = self.headers.get("If-Range") == page.mark or not page.heeds_mark
        return int(wanted[1]) if wanted and page.ranges and is_known else 0


class Listener(ThreadingHTTPServer):
    told: Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Listener(("127.0.0.1", 0), Handler) as listener:
        listener.told = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listener.told
        listener.told.ends.set()
        listener.shutdown()
        thread.join()


@pytest.fixture
def page() -> type[Page]:
    return Page

"""A file from a server: what came before the line broke is kept, and the next try goes on from there.

PART          the bytes that came
PART.json     which version of the file they are of, by the server's own mark, and its size

A server goes on from a byte (RFC 9110, 14.2) only with the version that was begun (13.1.5); whatever else it answers,
the file begins anew.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError as BrokenOff
from urllib3.exceptions import ReadTimeoutError

from nestbench.datasets.fetch.space import need
from nestbench.errors import RunError, reason
from nestbench.results.atomic import write_json

Tell = Callable[[str, int, int], None]
"""Is told what is being done, the bytes that are done, and all of them (0 where nobody knows)."""

_CHUNK = 2**16
_TRANSIENT = (408, 416, 429)
"""Answers, beside all from 500 on, after which another try may do better."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for."""

    silence: float = 30.0
    """Seconds until its answer, and from one piece of it to the next."""
    pauses: tuple[float, ...] = (1.0, 4.0, 10.0)
    """Seconds before each further try."""


PATIENCE = Patience()


@dataclass(frozen=True)
class _Version:
    """Which file the bytes of a part are of."""

    mark: str = ""
    """Its strong ETag or its date; empty where the server gives neither, so that nobody can go on with it."""
    size: int = 0
    """Bytes of the whole; 0 where it is not known."""


def transfer(url: str, part: Path, patience: Patience, tell: Tell) -> None:
    """Get what lies at ``url`` into the file ``part``, which may hold its beginning from an earlier call.

    Raises RunError that names the url and why it cannot be had, and OSError where the disk does not take it.
    """
    for pause in (*patience.pauses, None):
        try:
            _receive(url, part, patience.silence, tell)
        except (requests.RequestException, BrokenOff) as error:
            if pause is None or not _may_pass(error):
                raise RunError(f"cannot fetch '{url}': {_words(error, patience.silence)}{_kept(part)}") from error
            time.sleep(pause)
        else:
            return


def forget(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _receive(url: str, part: Path, silence: float, tell: Tell) -> None:
    version, have = _begun(part)
    if have and have == version.size:
        return
    # The bytes as they lie on the server: what a client unpacks on the way cannot be gone on with.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version.mark}
    with requests.get(url, headers=headers, stream=True, timeout=silence) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            forget(part)
        answer.raise_for_status()
        if not _goes_on(answer, version, have):
            version, have = _begin(answer, part), 0
        need(part.parent, version.size - have)
        _append(answer, part, have, version.size, tell)


def _append(answer: requests.Response, part: Path, have: int, size: int, tell: Tell) -> None:
    with part.open("ab") as file:
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            have += len(chunk)
            tell("downloading", have, size)
    if size and have != size:
        raise requests.ConnectionError(f"the server sent {have:,} of {size:,} bytes")


def _goes_on(answer: requests.Response, version: _Version, have: int) -> bool:
    """Whether an answer is more of the part, by where it begins, of how many bytes it is, and its mark.

    A date need not be said again.
    """
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if answer.status_code != requests.codes.partial_content or not found:
        return False
    is_same = _mark(answer) == version.mark or (not _mark(answer) and not version.mark.startswith('"'))
    return is_same and int(found[1]) == have and found[2] in (str(version.size), "*")


def _begin(answer: requests.Response, part: Path) -> _Version:
    """Begin anew with an answer that is the whole file.

    Raises requests.ConnectionError where it is not.
    """
    forget(part)  # first: no byte may ever lie beside the mark of another version
    if answer.status_code == requests.codes.partial_content:
        raise requests.ConnectionError("the server sent another part of the file than it was asked for")
    version = _Version(_mark(answer), _length(answer))
    write_json(_note(part), asdict(version))
    return version


def _begun(part: Path) -> tuple[_Version, int]:
    """What an earlier try left: of which version, and how many bytes that can be gone on with."""
    try:
        version = _Version(**json.loads(_note(part).read_text(encoding="utf-8")))
        have = part.stat().st_size
    except (OSError, ValueError, TypeError):  # nothing was begun, or nobody can say what
        return _Version(), 0
    return version, have if version.mark or have == version.size else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _mark(answer: requests.Response) -> str:
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _length(answer: requests.Response) -> int:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _may_pass(error: Exception) -> bool:
    """Whether another try may do better."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code in _TRANSIENT
    return isinstance(error, requests.ConnectionError | requests.Timeout | BrokenOff)


def _words(error: Exception, silence: float) -> str:
    """Why a file cannot be had, in the words of what is at the root of it: the client's own are many and its own."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return f"the server was silent for {silence:g} s"
    root: BaseException = error
    while inner := root.__cause__ or root.__context__:
        root = inner
    if isinstance(root, OSError) and root.strerror:
        return root.strerror[0].lower() + root.strerror[1:]
    return "the connection broke off" if isinstance(error, BrokenOff) else reason(error)


def _kept(part: Path) -> str:
    _, have = _begun(part)
    return f"; {have:,} bytes are kept, and the same command goes on from there" if have else ""

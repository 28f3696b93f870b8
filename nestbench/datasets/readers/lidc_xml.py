"""What the radiologists of LIDC-IDRI drew on one scan, as its XML file says.

Each of the readers (four, as a rule) worked in a session of their own. A nodule of 3 mm or more is outlined on each
slice that it is on; a smaller one is a single point, and has no outline. Nodules have no names that readers share.

Source: Armato et al. 2011, and 1,318 files of the official download. A file in the namespace of IDRI is about a chest
film.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from nestbench.errors import RequestError
from nestbench.formats.pictures import naming

MOST_BYTES = 2**24
"""Of the largest file that is read: real ones have less than a tenth of it."""

MOST_SIDE = 2**12
"""Pixels a side that no slice of a CT exceeds: outlines are filled by pixels."""

_HEAD = 2**12
"""Bytes that are read to find the root."""

_NAMESPACE = "http://www.nih.gov "
_CT = f"{_NAMESPACE}LidcReadMessage"
_CHEST_FILM = "http://www.nih.gov/idri IdriReadMessage"

Point = tuple[int, int]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Outline:
    """A line on one slice around a part of a nodule, or around a hole in it; its own pixels are not of the nodule."""

    sop_uid: str
    """SOPInstanceUID of the slice."""
    z: float
    """Position of the slice in mm, as the file says it."""
    points: tuple[Point, ...]
    """(x, y) of pixels, from 0, column and row."""
    hole: bool

    @property
    def closed(self) -> bool:
        """Whether the line ends where it began; else it is closed by a straight line."""
        return self.points[0] == self.points[-1]


@dataclass(frozen=True)
class Nodule:
    """A nodule of 3 mm or more, as one reader drew it."""

    id: str
    """The reader's own name for it, which other readers may have given to another one."""
    outlines: tuple[Outline, ...]


@dataclass(frozen=True)
class Reading:
    """What one reader marked in one session."""

    nodules: tuple[Nodule, ...]
    small: int
    """Nodules of less than 3 mm, which are not outlined."""


@dataclass(frozen=True)
class Report:
    """What all readers marked on one scan. A session counts as a reader: nothing in a file tells two of one person."""

    path: Path
    series_uid: str
    readings: tuple[Reading, ...]

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """Those of all readers."""
        return tuple(o for reading in self.readings for nodule in reading.nodules for o in nodule.outlines)


def is_chest_film(path: Path) -> bool:
    """Whether a file is about a chest film, by its root; one that cannot be read is not, and says so when it is."""
    roots: list[str] = []
    parser = _parser(path)
    parser.StartElementHandler = lambda tag, _: roots.append(tag)
    with suppress(OSError, expat.ExpatError, RequestError), path.open("rb") as file:
        parser.Parse(file.read(_HEAD), False)
    return roots[:1] == [_CHEST_FILM]


def read_report(path: Path) -> Report:
    """Read the XML file of one CT.

    Raises RequestError that names the file: no XML, declares entities, is about a chest film, lacks an element, holds
    a number that is none.
    """
    root = _tree(path)
    if root.tag == _CHEST_FILM:
        raise RequestError(f"'{path}' is about a chest film, not a CT")
    if root.tag != _CT:
        raise RequestError(f"'{path}' is no file of LIDC's readers: its root is '{root.tag}'")
    sessions = _all(root, "readingSession")
    if not sessions:
        raise RequestError(f"'{path}' holds no readingSession")
    header = _first(root, "ResponseHeader", path)
    return Report(path, _text(header, "SeriesInstanceUid", path), tuple(_reading(one, path) for one in sessions))


def _parser(path: Path) -> expat.XMLParserType:
    """A parser without entities: those of a DOCTYPE could name other files, or grow without end."""

    def refuse(*_: object) -> None:
        raise RequestError(f"'{path}' has a DOCTYPE, which LIDC's files have not: it may ask for other files")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _tree(path: Path) -> Element:
    builder, parser = TreeBuilder(), _parser(path)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    with naming(path):
        if path.stat().st_size > MOST_BYTES:
            raise RequestError(f"'{path}' has more than {MOST_BYTES:,} bytes, and is no file of LIDC's readers")
        content = path.read_bytes()
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise RequestError(f"cannot read '{path}': it is no XML ({error})") from error
    return builder.close()


def _reading(session: Element, path: Path) -> Reading:
    found = [_nodule(one, path) for one in _all(session, "unblindedReadNodule")]
    outlined = tuple(nodule for nodule in found if nodule.outlines)
    return Reading(outlined, len(found) - len(outlined))


def _nodule(element: Element, path: Path) -> Nodule:
    outlines = [_outline(roi, path) for roi in _all(element, "roi")]
    # A single point encloses nothing: it is the centre of a small nodule.
    return Nodule(_text(element, "noduleID", path), tuple(one for one in outlines if len(one.points) > 1))


def _outline(roi: Element, path: Path) -> Outline:
    inclusion = _text(roi, "inclusion", path).upper()
    if inclusion not in ("TRUE", "FALSE"):
        raise RequestError(f"'{path}' has the inclusion '{inclusion}', and it is TRUE or FALSE")
    points = tuple((_pixel(edge, "xCoord", path), _pixel(edge, "yCoord", path)) for edge in _all(roi, "edgeMap"))
    return Outline(
        _text(roi, "imageSOP_UID", path),
        _number(float, roi, "imageZposition", path),
        points,
        hole=inclusion == "FALSE",
    )


def _all(element: Element, name: str) -> list[Element]:
    """Children of a name, in LIDC's namespace."""
    return [child for child in element if child.tag == _NAMESPACE + name]


def _first(element: Element, name: str, path: Path) -> Element:
    found = _all(element, name)
    if not found:
        raise RequestError(f"'{path}' has a {element.tag.split()[-1]} without {name}")
    return found[0]


def _text(element: Element, name: str, path: Path) -> str:
    return (_first(element, name, path).text or "").strip()


def _pixel(edge: Element, name: str, path: Path) -> int:
    value = _number(int, edge, name, path)
    if not 0 <= value < MOST_SIDE:
        raise RequestError(f"'{path}' has the {name} {value}, which is on no slice")
    return value


def _number(kind: type[Number], element: Element, name: str, path: Path) -> Number:
    text = _text(element, name, path)
    try:
        return kind(text)
    except ValueError as error:
        raise RequestError(f"'{path}' has the {name} '{text}', which is no number") from error

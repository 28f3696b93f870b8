"""What can go wrong, as one small tree.

NestbenchError
├── RequestError      the request was wrong: one sentence, exit code 2
├── RunError          one run failed while it worked: recorded, the study goes on, exit code 1
│   └── MemoryExhaustedError   it needs more memory than there is: it is tried again in smaller parts
└── StoppedError      somebody asked to stop: what was at work goes on from its checkpoint another time
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

NAMED = 3
"""Problems that one sentence names."""


class NestbenchError(Exception):
    """Anything that nestbench reports in one sentence instead of a traceback."""


class RequestError(NestbenchError):
    """What was asked for cannot be done: a wrong name, value, file or folder."""


class RunError(NestbenchError):
    """One run or download could not finish; of a run, the reason becomes part of the results."""


class MemoryExhaustedError(RunError):
    """A run needed more memory than there is."""


class StoppedError(NestbenchError):
    """A run was asked to stop, and keeps its place in a checkpoint."""


def reason(error: BaseException) -> str:
    """Why something failed, in one line: the first of the error's own words, or its type where it has none."""
    return str(error).partition("\n")[0] or type(error).__name__


def refuse(what: str, problems: Sequence[str]) -> None:
    """Raise RequestError that names the first few problems and counts the others; do nothing where there are none."""
    if problems:
        more = len(problems) - NAMED
        others = f"; and {more} more" if more > 0 else ""
        raise RequestError(f"{what} {'; '.join(problems[:NAMED])}{others}")


def unknown(kind: str, name: str, allowed: Iterable[str]) -> RequestError:
    """Build the error for a name that does not exist, with the nearest one that does."""
    names = sorted(set(allowed))
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    guess = f"; did you mean '{near[0]}'?" if near else ""
    listed = ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:12])}, and {len(names) - 12} more"
    return RequestError(f"unknown {kind} '{name}'{guess} (allowed: {listed or 'none is installed'})")

"""What a benchmark may be asked. A wrong request is answered in one sentence, with exit code 2."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nestbench.errors import NestbenchError, RequestError
from nestbench.machine import cores
from nestbench.machine.device import find_device

NUCLEI = "where nuclei lies; without it, synthetic images are used"


def options(description: str | None, data: str = "", **counts: int) -> argparse.ArgumentParser:
    """``--device`` and ``--threads``, ``--data`` where it is said what for, and other numbers by their defaults."""
    parser = bare(description)
    if data:
        parser.add_argument("--data", type=folder, help=data)
    parser.add_argument("--device", type=find_device, default="auto", help="auto, cpu or cuda")
    for name, value in ({"threads": cores()} | counts).items():
        parser.add_argument(f"--{name}", type=count, default=value)
    return parser


def bare(description: str | None) -> argparse.ArgumentParser:
    """Nothing but help, which is the docstring of the script."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1")
    return int(text)


def folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder '{text}'")
    return Path(text)


def answer(main: Callable[[], None]) -> None:
    """Run a benchmark, and end with one sentence where it was asked for what cannot be, or could not go on (1)."""
    try:
        main()
    except NestbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, RequestError) else 1)

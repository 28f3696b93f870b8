"""How much memory this process held at its peak."""

import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import torch

_SYSTEM = Path("/proc/self")


def growth(device: str) -> Callable[[], int | None]:
    """Begin to watch what is held; the answer says by how many bytes it has grown at the peak since.

    On a CPU that is resident memory of the whole process, on a GPU what torch's allocator gave out. None where the
    system does not forget the peak of what came before.
    """
    forgotten = begin_anew(device)
    before = held(device)
    return lambda: max(held(device) - before, 0) if forgotten else None


def begin_anew(device: str) -> bool:
    """Forget the peak so far, and say whether that was possible: of a CPU only Linux forgets it.

    There memory that was freed goes back to the system first.
    """
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return True
    with suppress(OSError, AttributeError):  # musl has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (_SYSTEM / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def held(device: str) -> int:
    """Bytes at the peak of this process since it began anew."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if _SYSTEM.exists():  # Linux's getrusage also counts the process that started this one
        line = next(line for line in (_SYSTEM / "status").read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

"""Keep the memory that a step frees for the next one.

glibc gives large blocks (over 32 MiB at the latest) back to the system as soon as they are freed, so that every
training step takes its activations from the system anew, and pays a page fault for each 4 KiB of them.
"""

import ctypes
import sys
from contextlib import suppress

# The parameters of mallopt, numbered as in malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Make this process keep what it frees, up to its peak, on Linux with glibc; elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 (other libraries have a mallopt too, but other numbers)
        # Older glibc refuses a threshold above 32 MiB: there, no block at all is taken from the system by itself.
        library.mallopt(_MMAP_THRESHOLD, _LARGEST) or library.mallopt(_MMAP_MAX, 0)
        library.mallopt(_TRIM_THRESHOLD, _LARGEST)
        library.mallopt(_TOP_PAD, 64 * 2**20)

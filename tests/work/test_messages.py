import errno
import os

import pytest

from nestbench.errors import MemoryExhaustedError, RunError, StoppedError
from nestbench.study.schema import Run, Study
from nestbench.work.messages import ended

(CELL,) = Study.model_validate({"name": "s", "datasets": [{"name": "synthetic"}], "models": ["unet"]}).cells()
RUN = Run(cell=CELL, recipe=Study.model_fields["recipe"].default, seed=0)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (StoppedError("stopped"), "stopped", "stopped"),
        (MemoryExhaustedError("it needs more"), "memory", "it needs more"),
        (RunError("the loss became nan"), "failed", "the loss became nan"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "failed", "No space left on device (a.py:1)"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/r"), "failed", "Read-only file system '/r' (a.py:1)"),
        (ValueError("I/O error: No space (os error 28)"), "failed", "No space left on device (a.py:1)"),
        (ZeroDivisionError("by zero\nand more"), "failed", "ZeroDivisionError: by zero (a.py:1)"),
    ],
)
def test_each_end_without_a_result_has_its_kind_and_one_line_that_says_why(error, kind, reason):
    end = ended(RUN, error, " (a.py:1)")
    assert (end.run, end.result, end.kind, end.reason) == (RUN, None, kind, reason)

"""What a run writes for those who watch it: a log, and scalars for TensorBoard where they are asked for."""

import os
import socket
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from nestbench.errors import NestbenchError
from nestbench.results.records import Epoch
from nestbench.work.job import Job

_SCALARS = ("train_loss", "validation_loss", "validation_iou", "seconds", "feeding", "validating")


class Diary:
    """A run's log."""

    def __init__(self, file: TextIO, board: Any = None, criterion: str = "IoU") -> None:
        self._file, self._board, self._criterion = file, board, criterion

    def line(self, text: str) -> None:
        """Note something, with the time."""
        self._file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self._file.flush()

    def epoch(self, epoch: Epoch) -> None:
        """Note an epoch."""
        losses = f"loss {epoch.train_loss:.4f}, on validation {epoch.validation_loss:.4f}"
        best = ", the best so far" if epoch.best else ""
        score = f"{self._criterion} {epoch.validation_iou:.4f}"
        self.line(f"epoch {epoch.index + 1}: {losses}, {score}{best}, {epoch.seconds:.1f} s")
        if self._board is not None:
            for name in _SCALARS:
                if (value := getattr(epoch, name)) is not None:
                    self._board.add_scalar(name, value, epoch.index + 1)


@contextmanager
def open_diary(folder: Path, job: Job) -> Iterator[Diary]:
    """Go on writing a run's ``run.log``; what ends the run is noted there too, with the traceback of a surprise."""
    with ExitStack() as stack:
        file = stack.enter_context((folder / "run.log").open("a", encoding="utf-8"))
        board = stack.enter_context(_board(folder)) if job.tensorboard else None
        diary = Diary(file, board, job.run.cell.criterion)
        diary.line(f"{job.run}: process {os.getpid()} on {socket.gethostname()}, {job.plan}, in {job.parts} parts")
        try:
            yield diary
        except NestbenchError as error:
            diary.line(f"ended: {error}")
            raise
        except BaseException:
            diary.line(traceback.format_exc())
            raise
        diary.line("done")


@contextmanager
def _board(folder: Path) -> Iterator[Any]:
    writer = import_module("torch.utils.tensorboard").SummaryWriter
    # A run that goes on says its earlier epochs again: what an earlier process wrote of them is withdrawn.
    with writer(str(folder / "tensorboard"), purge_step=1) as board:
        yield board

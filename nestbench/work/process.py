"""Manners of a worker process; without torch, so that it minds them at once."""

import multiprocessing
import os
import signal
import threading

_STOP = threading.Event()


def serve(gpu: str = "") -> None:
    """Leave Ctrl-C to the coordinator, take SIGTERM as the wish to stop, and do not outlive the coordinator.

    Where a ``gpu`` is named, torch sees no other.
    """
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    signal.signal(signal.SIGTERM, lambda *_: _STOP.set())
    follow_parent()


def asked_to_stop() -> bool:
    """Whether this process was sent SIGTERM: by the coordinator, or by a system that takes the machine away."""
    return _STOP.is_set()


def begin() -> None:
    """A run begins: what the one before it was asked does not concern it."""
    _STOP.clear()


def outlive_signals() -> None:
    """Hand messages on until the coordinator ends, whatever is sent to the whole group."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    follow_parent()


def follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)

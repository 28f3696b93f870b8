"""A run in a process of some node of a cluster, and how that hears of the coordinator."""

import os
import signal
import socket
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any

from nestbench.cluster.join import load_ray
from nestbench.cluster.shared import Tokens, unseen
from nestbench.results.records import Epoch
from nestbench.work.execute import Do
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Reported, ended


def work(do: Do, number: int, job: Job, mailbox: Any, shared: Tokens) -> Ended:
    """Do a run, hear its coordinator, and say how it ended, whatever happens but the end of the process.

    ``number`` is that of the flight, ``mailbox`` the handle of the ``Mailbox`` that Ray serves.
    """
    host = socket.gethostname()
    if problem := unseen(shared):  # on a node that came later
        return Ended(job.run, None, f"node '{host}' {problem}", "lost")
    ray, wish = load_ray(), _wish_to_stop(mailbox)
    own = threading.Event()  # a node that is taken away sends SIGTERM; if it stays, the process's next run goes on
    before = signal.signal(signal.SIGTERM, lambda *_: own.set())
    ray.get(mailbox.tell.remote(number, Began(job.run, host, os.getpid())))

    def on_epoch(epoch: Epoch) -> bool:
        return bool(ray.get(mailbox.ask.remote(number, Reported(job.run, epoch))))

    try:
        result = do(job, on_epoch, lambda: wish.is_set() or own.is_set())
    except Exception as error:
        return ended(job.run, error, _place(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    return Ended(job.run, result)


@cache
def _wish_to_stop(mailbox: Any) -> threading.Event:
    """Set once the coordinator asks this process to stop; where the coordinator is gone, the process ends."""
    stop = threading.Event()

    def listen() -> None:
        ray = load_ray()
        try:
            ray.get(mailbox.stopped.remote())
        except ray.exceptions.RayError:
            os._exit(1)
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    return stop


def _place(error: BaseException) -> str:
    """Where in the code an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""

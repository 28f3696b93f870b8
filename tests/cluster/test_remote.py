import os
import signal
import threading
from types import SimpleNamespace

from nestbench.cluster.remote import work
from nestbench.errors import StoppedError


def test_a_process_that_was_sent_sigterm_once_does_its_next_run(monkeypatch):
    ray = SimpleNamespace(get=lambda _: None)
    never = threading.Event()
    monkeypatch.setattr("nestbench.cluster.remote.load_ray", lambda: ray)
    monkeypatch.setattr("nestbench.cluster.remote._wish_to_stop", lambda _: never)
    mailbox = SimpleNamespace(tell=SimpleNamespace(remote=lambda *_: None))

    def do(sent, _, stop):
        if sent.run:
            os.kill(os.getpid(), signal.SIGTERM)
        if stop():
            raise StoppedError("stopped")
        return "result"

    def end(sent):
        return work(do, 0, SimpleNamespace(run=sent), mailbox, {})

    assert end(True).kind == "stopped"
    assert end(False).result == "result"

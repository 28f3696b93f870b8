import errno
import os
import socket
import subprocess
import sys

import pytest

from nestbench.errors import RequestError, RunError
from nestbench.results.lock import at_work, held
from nestbench.results.running import running


def test_a_run_is_held_by_one_process_and_the_other_is_told_by_whom(tmp_path):
    who = rf"process {os.getpid()} on host '.+' is still at work on this run"
    with held(tmp_path), running(tmp_path), pytest.raises(RunError, match=who), held(tmp_path, patience=0):
        pass
    with held(tmp_path, patience=0):
        pass


def test_a_run_is_free_when_the_process_that_held_it_is_killed(tmp_path):
    code = f"""
from pathlib import Path
from nestbench.results.lock import held
with held(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process is still at work"), held(tmp_path, patience=0):
        pass
    holder.kill()
    holder.communicate()
    with held(tmp_path, patience=0):
        pass


def test_a_run_is_at_work_while_its_folder_is_held_wherever_that_is(tmp_path):
    assert at_work(tmp_path) is None
    with held(tmp_path), running(tmp_path):
        mark = tmp_path / "running.json"
        mark.write_text(mark.read_text().replace(socket.gethostname(), "another"))
        said = mark.read_text()
        assert at_work(tmp_path).host == "another"
    mark.write_text(said)  # as who dies leaves it
    assert at_work(tmp_path) is None
    with held(tmp_path, patience=0):
        pass


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    said = rf"'{tmp_path}/.lock' does not lock files \(No locks available\): keep results on one that does"
    with pytest.raises(RequestError, match=said), held(tmp_path):
        pass

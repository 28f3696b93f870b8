import json
import os
import subprocess
import sys

import pytest

from nestbench.errors import RequestError
from nestbench.results.atomic import replacing, sweep, writable, write_json, write_text


def test_a_file_is_replaced_whole(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1})
    write_json(tmp_path / "a.json", {"b": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def write_half_and_fail(path):
    with replacing(path) as beside:
        beside.write_text("half")
        raise ValueError("stopped")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="stopped"):
        write_half_and_fail(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_process_killed_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    write_text(path, "old")
    code = f"""
import os, signal
from pathlib import Path
from nestbench.results.atomic import replacing
with replacing(Path({str(path)!r})) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    assert path.read_text() == "old"


def test_what_is_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_a_folder_that_cannot_be_written_to_is_refused_by_name(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(RequestError, match=f"cannot write to the folder '{blocked}/results'"):
        writable(blocked / "results")


def test_a_probe_that_is_swept_away_meanwhile_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr("os.close", lambda handle, close=os.close: (close(handle), sweep(tmp_path)))
    writable(tmp_path)


def test_files_can_be_read_by_others(tmp_path):
    write_text(tmp_path / "a", "")
    assert os.stat(tmp_path / "a").st_mode & 0o777 == 0o644  # noqa: PTH116


def test_what_writers_that_were_killed_left_is_swept_away_and_nothing_else(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from nestbench.results.atomic import replacing
with replacing(Path({str(tmp_path)!r}) / "a.json") as beside:
    beside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode < 0
    (tmp_path / ".lock").touch()
    write_json(tmp_path / "b.json", {})
    assert len(list(tmp_path.iterdir())) == 3
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "b.json"}

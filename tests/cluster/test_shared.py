import subprocess
import sys

import pytest

from nestbench import __version__
from nestbench.cluster.shared import misfit, tokens, unseen
from nestbench.errors import RequestError
from nestbench.results.atomic import sweep


def test_who_sees_the_same_folders_reads_the_tokens_and_they_go_with_the_block(tmp_path):
    with tokens([tmp_path / "results", tmp_path / "cache"]) as left:
        assert len(left) == 2
        assert unseen(left) == ""
        assert misfit(left, __version__) == ""
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_tokens_that_a_killed_coordinator_left_are_swept_away(tmp_path):
    with tokens([tmp_path]):
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_tokens_are_swept_from_any_folder_by_the_next_coordinator_but_not_those_of_one_that_lives(tmp_path):
    ready = "import sys, pathlib as p; from nestbench.cluster.shared import tokens; place = p.Path(sys.argv[1])\n"
    code = ready + "with tokens([place]):\n    print('left', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], **pipes) as coordinator:
        assert coordinator.stdout.readline() == b"left\n"
        (living,) = tmp_path.iterdir()
        with tokens([tmp_path]) as left:
            assert set(tmp_path.iterdir()) == {living, *left}
        assert list(tmp_path.iterdir()) == [living]
        coordinator.kill()
    assert list(tmp_path.iterdir()) == [living]
    with tokens([tmp_path]) as left:
        assert set(tmp_path.iterdir()) == left.keys()


def test_a_token_that_cannot_be_swept_such_as_another_users_stays_and_stops_nobody(tmp_path):
    (tmp_path / ".shared.another").mkdir()  # as little a file that can be opened as one that may not be
    with tokens([tmp_path]) as left:
        assert set(tmp_path.iterdir()) == {tmp_path / ".shared.another", *left}


def test_a_folder_of_the_same_name_on_another_disk_is_told_apart(tmp_path):
    with tokens([tmp_path]) as left:
        (path,) = left
        path.write_text("another")
        assert unseen(left) == f"sees another folder '{tmp_path}'"
        path.unlink()
        assert unseen(left) == f"does not see the folder '{tmp_path}' as it is here (No such file or directory)"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    with tokens([tmp_path]) as left:
        monkeypatch.setattr("os.access", lambda *_: False)
        assert unseen(left) == f"cannot write to the folder '{tmp_path}'"


def test_tokens_need_a_folder_that_takes_files(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="cannot write to the folder"), tokens([tmp_path / "file"]):
        pass


def test_another_version_of_nestbench_is_no_fit(tmp_path):
    assert misfit({}, "0.0.0") == f"has nestbench {__version__}, and here is 0.0.0"

from pathlib import Path

import pytest

from nestbench.datasets.readers.decathlon_tasks import TASKS, folder_at, folder_of
from nestbench.errors import RequestError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("Task01_A", "kept/Task02_B", "kept/deep/Task03_C", "kept/plain"):
        (tmp_path / name).mkdir(parents=True)
        if name != "kept/plain":
            (tmp_path / name / "dataset.json").touch()
    return tmp_path


def test_the_ten_tasks_have_an_archive_and_its_sum():
    assert len({task.md5 for task in TASKS.values()}) == len(TASKS) == 10
    for name, task in TASKS.items():
        assert task.url.endswith(f"/{name}.tar")
        assert task.folder == f"decathlon/{name}"
        assert task.part == name
        assert len(task.md5) == 32


def test_a_task_is_found_up_to_two_folders_below_the_root(root: Path):
    assert folder_of("Task01_A", root) == root / "Task01_A"
    assert folder_of("Task02_B", root) == root / "kept/Task02_B"
    assert folder_of("Task02_B", root / "kept/Task02_B") == root / "kept/Task02_B"


def test_the_only_task_needs_no_name_and_several_do(root: Path):
    assert folder_of(None, root / "kept/deep") == root / "kept/deep/Task03_C"
    with pytest.raises(RequestError, match="holds several tasks: give one, as in task: Task01_A or Task02_B"):
        folder_of(None, root)


def test_a_task_that_is_not_there_says_how_to_get_it(root: Path):
    with pytest.raises(RequestError, match=r"task 'Task09_Spleen' is not there: .* fetch decathlon --option task="):
        folder_of("Task09_Spleen", root)
    with pytest.raises(RequestError, match=r"data set 'decathlon' is not there: .* `nestbench dataset fetch"):
        folder_of(None, root / "kept/plain")


def test_a_misspelt_task_gets_the_nearest_name(root: Path):
    with pytest.raises(RequestError, match="unknown task 'Task2_B'; did you mean 'Task02_B'"):
        folder_of("Task2_B", root)


def test_a_path_is_looked_for_below_the_current_folder_and_below_the_root(root: Path, monkeypatch: pytest.MonkeyPatch):
    assert folder_at(Path("kept/Task02_B"), root) == root / "kept/Task02_B"
    monkeypatch.chdir(root)
    assert folder_at(Path("Task01_A"), Path("nowhere")) == Path("Task01_A")
    with pytest.raises(RequestError, match=r"neither 'kept/plain' nor 'nowhere/kept/plain' holds a dataset\.json"):
        folder_at(Path("kept/plain"), Path("nowhere"))

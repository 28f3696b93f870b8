"""Where tasks are: the ten of the Medical Segmentation Decathlon on a server, those that are here in folders."""

from pathlib import Path

from nestbench.datasets.contract import Download
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError, unknown

FILE = "dataset.json"
SOURCE = (
    "give a task's name, as in task: Task04_Hippocampus, and `nestbench dataset fetch decathlon --option task=NAME` "
    "gets it"
)

_SERVER = "https://msd-for-monai.s3-us-west-2.amazonaws.com"
_MD5 = {
    "Task01_BrainTumour": "240a19d752f0d9e9101544901065d872",
    "Task02_Heart": "06ee59366e1e5124267b774dbd654057",
    "Task03_Liver": "a90ec6c4aa7f6a3d087205e23d4e6397",
    "Task04_Hippocampus": "9d24dba78a72977dbd1d2e110310f31b",
    "Task05_Prostate": "35138f08b1efaef89d7424d2bcc928db",
    "Task06_Lung": "8afd997733c7fc0432f71255ba4e52dc",
    "Task07_Pancreas": "4f7080cfca169fa8066d17ce6eb061e4",
    "Task08_HepaticVessel": "641d79e80ec66453921d997fbf12a29c",
    "Task09_Spleen": "410d4a301da4e5b2f6f86ec3ddba524e",
    "Task10_Colon": "bad7a188931dc2f6acf72b08eb6202d0",
}

TASKS = {task: Download(f"{_SERVER}/{task}.tar", f"decathlon/{task}", part=task, md5=md5) for task, md5 in _MD5.items()}


def folder_at(path: str, root: Path) -> Path:
    """The folder that a study names by its path, below the current folder or the root.

    Raises RequestError where it is not there.
    """
    return place_of("decathlon", places(root, path), lambda place: (place / FILE).is_file(), f"holds a {FILE}")


def folder_of(task: str | None, root: Path) -> Path:
    """The folder of a task, or the only one there is, in the root or up to two folders below.

    Raises RequestError where it is not there, with the nearest name, and where there are several.
    """
    depths = (FILE, f"*/{FILE}", f"*/*/{FILE}")
    tasks = {path.parent.absolute().name: path.parent for depth in depths for path in sorted(root.glob(depth))}
    if task in tasks:
        return tasks[task]
    if task in TASKS or not tasks:
        missing = f"task '{task}'" if task else "data set 'decathlon'"
        raise RequestError(f"{missing} is not there: no {FILE} of it in '{root}' or two folders below; {SOURCE}")
    if task:
        raise unknown("task", task, [*tasks, *TASKS])
    if len(tasks) > 1:
        raise RequestError(f"'{root}' holds several tasks: give one, as in task: {' or '.join(sorted(tasks))}")
    return next(iter(tasks.values()))

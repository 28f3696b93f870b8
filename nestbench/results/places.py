"""Where the results of a study lie: the tree below its folder.

results/<study>/study.yaml                 the study as run, every default written out
results/<study>/plan.json                  the machine's plan, the same for all runs
results/<study>/<dataset>/
    dataset.json                           cases, classes, licence, and the split by case
    objects.parquet                        every object of every case, with its size
    overlays.npz                           images and masks of the test cases that the report shows
results/<study>/<dataset>/<encoder>/<model>/seed-<n>/
    result.json  cases.parquet  epochs.jsonl  predictions.npz  weights.safetensors
    sizes.parquet  detections.parquet      where objects are told apart
    run.log                                what happened when
    running.json                           while the run is at work
    checkpoint.safetensors                 where a run goes on that was stopped
    failed.json                            instead of all that, where the run failed
results/<study>/<dataset>/<encoder>/<model>/importance.json
                                           which searched keys decided, where enough trials were finished to say
results/<study>/<dataset>/<encoder>/<model>/trial-<n>/
    result.json  epochs.jsonl              the search's runs, which never see the test cases
    begun.json                             the recipe of a trial that has not ended
results/<study>/speed/<device>.json        what each network costs on this machine
results/<study>/optuna.db                  what Optuna's dashboard shows, made from the files above
"""

from pathlib import Path

from nestbench.study.schema import Cell, Run, seed_label, trial_label
from nestbench.study.words import slug


def cell_folder(study: Path, cell: Cell) -> Path:
    """Folder of a cell below the study's results folder."""
    return study.joinpath(*(slug(part) for part in cell.key))


def run_folder(study: Path, run: Run) -> Path:
    """Folder of a run below the study's results folder."""
    return cell_folder(study, run.cell) / run.label


def seed_folder(study: Path, cell: Cell, seed: int) -> Path:
    """Folder of a cell's run with a reported seed."""
    return cell_folder(study, cell) / seed_label(seed)


def trial_folder(study: Path, cell: Cell, number: int) -> Path:
    """Folder of a trial of a cell's search."""
    return cell_folder(study, cell) / trial_label(number)

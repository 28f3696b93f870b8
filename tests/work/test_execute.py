from nestbench.datasets.splits import Split
from nestbench.machine import Plan
from nestbench.results.places import run_folder
from nestbench.results.records import Result, write_result
from nestbench.study.schema import Run, Study
from nestbench.work.execute import execute
from nestbench.work.job import Job

STUDY = Study.model_validate({"name": "s", "datasets": [{"name": "synthetic"}], "models": ["unet"]})


def test_a_run_that_another_process_finished_meanwhile_is_not_done_twice(tmp_path):
    run = Run(cell=next(STUDY.cells()), recipe=STUDY.recipe, seed=0)
    job = Job(run, tmp_path / "gone", "none", Split((), (), ()), Plan("cpu", "float32", "contiguous", 1), tmp_path)
    done = write_result(run_folder(tmp_path, run), Result(job.identity, "L4", 0.5, 0, 1, "epochs", 1, 1.0))
    assert execute(job, lambda _: True, lambda: True) == done

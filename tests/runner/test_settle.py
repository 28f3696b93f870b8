import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from nestbench.errors import RequestError
from nestbench.machine import choose_plan
from nestbench.results.atomic import write_json
from nestbench.results.lock import take
from nestbench.results.owner import refuse_changed
from nestbench.runner.means import Means
from nestbench.runner.settle import alone, check_extras, check_names, runs_here, settle_plan, write_settled
from nestbench.study.schema import Study


def study(**changes):
    content = {"name": "s", "datasets": [{"name": "synthetic"}], "encoders": ["plain:4"]}
    return Study.model_validate(content | changes)


WRONG = [
    ({"datasets": [{"name": "sintetic"}]}, "unknown dataset 'sintetic'; did you mean 'synthetic'"),
    ({"datasets": [{"name": "synthetic", "casis": 3}]}, "did you mean 'cases'"),
    ({"datasets": [{"name": "folder", "path": "nowhere"}]}, "nowhere"),
    ({"encoders": ["plane"]}, "unknown encoder 'plane'; did you mean 'plain'"),
    ({"encoders": ["timm:resnet81"]}, "unknown timm encoder 'resnet81'"),
    ({"recipe": {"loss": "dise"}}, "unknown loss 'dise'; did you mean 'dice'"),
    ({"search": {"trials": 1, "space": {"loss": ["dice", "dise"]}}}, "unknown loss 'dise'"),
    ({"recipe": {"loss": "dice:2"}}, "loss 'dice:2' has no variants: write 'dice'"),
    ({"datasets": [{"name": "synthetic:2"}]}, "dataset 'synthetic:2' has no variants: write 'synthetic'"),
    ({"pretrained": True}, "encoder 'plain' has no pretrained weights"),
    (
        {"models": ["smp:PAN"], "encoders": ["timm:resnet10t"]},
        "'smp:PAN' on encoder 'timm:resnet10t' at depth 4 cannot take",
    ),
    (
        {"datasets": [{"name": "synthetic", "size": 16}], "depth": 5},
        "size 16 is too small: a network of depth 5 takes 32",
    ),
    ({"datasets": [{"name": "synthetic", "size": 16}], "recipe": {"batch": 1}}, "cannot take 1 images of 16 x 16"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_every_name_is_looked_up_before_any_training(tmp_path, change, sentence):
    with pytest.raises(RequestError, match=sentence):
        check_names(study(**change), tmp_path)


def begun(folder, asked):
    """A study of which one run is finished."""
    write_settled(asked, choose_plan("cpu"), folder)
    write_json(folder / "result.json", {})


def test_a_study_may_grow_over_its_results(tmp_path):
    begun(tmp_path, study())
    refuse_changed(study(seeds=7, models=["unet"]), tmp_path)


def test_a_changed_study_over_old_results_is_refused_with_what_changed(tmp_path):
    begun(tmp_path, study())
    with pytest.raises(RequestError, match=r"recipe.batch was 16 and is now 4; give the new study a name of its own"):
        refuse_changed(study(recipe={"batch": 4}), tmp_path)


def test_a_changed_study_where_nothing_is_finished_is_just_a_study(tmp_path):
    write_settled(study(), choose_plan("cpu"), tmp_path)
    refuse_changed(study(recipe={"batch": 4}), tmp_path)


def test_a_results_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RequestError, match="cannot write to the folder"), alone(tmp_path / "results" / "s"):
        pass


def test_a_study_that_is_being_run_is_refused_with_who_runs_it(tmp_path):
    code = f"""
from pathlib import Path
from nestbench.runner.settle import alone
with alone(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RequestError, match=f"is being run already, by process {holder.pid} on host"), alone(tmp_path):
        pass
    holder.communicate("go\n")
    with alone(tmp_path):
        pass


def test_a_holder_that_has_not_said_yet_who_it_is_is_another_process(tmp_path):
    with (tmp_path / ".lock").open("a") as file:
        assert take(file)
        with pytest.raises(RequestError, match=r"being run already, by another process$"), alone(tmp_path):
            pass


def test_logs_for_tensorboard_without_its_package_are_refused(monkeypatch):
    check_extras(Means(Path(), Path(), tensorboard=True))
    monkeypatch.setattr("nestbench.runner.settle.find_spec", lambda _: None)
    with pytest.raises(RequestError, match=r"pip install 'nestbench\[tensorboard\]'"):
        check_extras(Means(Path(), Path(), tensorboard=True))
    check_extras(Means(Path(), Path()))


def test_a_study_keeps_the_plan_it_began_with(tmp_path):
    write_settled(study(), choose_plan("cpu"), tmp_path)
    other = json.loads((tmp_path / "plan.json").read_text())
    other |= {"precision": {"float32": "bfloat16", "bfloat16": "float32"}[other["precision"]], "threads": 7}
    (tmp_path / "plan.json").write_text(json.dumps(other))
    assert asdict(settle_plan(tmp_path, "auto", workers=2)) == other


def test_a_damaged_plan_is_named(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(RequestError, match=r"cannot read '.*plan.json'"):
        settle_plan(tmp_path, "auto", workers=1)


def test_a_study_that_began_on_another_device_or_in_another_precision_is_refused(tmp_path):
    write_settled(study(), choose_plan("cpu", precision="float32"), tmp_path)
    with pytest.raises(RequestError, match="began on device 'cpu': 'cuda' cannot go on"):
        settle_plan(tmp_path, "cuda", workers=1)
    with pytest.raises(RequestError, match="began in precision 'float32': 'bfloat16' cannot go on"):
        settle_plan(tmp_path, "cpu", 1, "bfloat16")
    assert settle_plan(tmp_path, "cpu", 1, "float32") == settle_plan(tmp_path, "auto", 1)


def test_a_study_that_began_is_not_calibrated_for_again(tmp_path, monkeypatch):
    write_settled(study(), choose_plan("cpu"), tmp_path)
    monkeypatch.delattr("nestbench.machine.calibrate.time_ways")
    assert settle_plan(tmp_path, "auto", 1, "auto", tmp_path / "cache") == choose_plan("cpu")


def test_a_study_that_begins_is_calibrated_for_once_and_keeps_the_record_in_the_cache(tmp_path, monkeypatch):
    plan = settle_plan(tmp_path / "results", "cpu", 1, "auto", tmp_path / "cache")
    monkeypatch.delattr("nestbench.machine.calibrate.time_ways")
    assert settle_plan(tmp_path / "results", "cpu", 1, "auto", tmp_path / "cache") == plan
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("gpus", "means", "runs"),
    [
        ((), {}, 1),
        ((), {"workers": 3}, 3),
        ((), {"per_gpu": 3}, 1),
        (("0", "1"), {}, 2),
        (("0", "1"), {"per_gpu": 3}, 6),
        (("0", "1"), {"per_gpu": 3, "workers": 4}, 4),
        (("0", "1"), {"per_gpu": 3, "device": "cpu"}, 1),
        (("0", "1"), {"per_gpu": 3, "workers": 40, "cluster": "auto"}, 6),
        ((), {"workers": 40, "cluster": "auto"}, 40),
        ((), {"cluster": "auto"}, 1),
    ],
)
def test_runs_share_a_machine_as_they_are_asked_for_or_packed_on_its_gpus(gpus, means, runs, monkeypatch):
    monkeypatch.setattr("nestbench.runner.settle.gpus", lambda: gpus)
    monkeypatch.setattr("nestbench.runner.settle.cores", lambda: 2)
    found = "cuda" if gpus and means.get("device") != "cpu" else "cpu"
    monkeypatch.setattr("nestbench.runner.settle.find_device", lambda _: found)
    assert runs_here(Means(Path(), Path(), **means)) == runs


@pytest.mark.parametrize("workers", [0, 9])
def test_workers_that_make_no_sense_are_refused(workers, monkeypatch):
    monkeypatch.setattr("nestbench.runner.settle.cores", lambda: 2)
    with pytest.raises(RequestError, match=rf"{workers} workers make no sense on 2 cores \(allowed: 1 to 8\)"):
        runs_here(Means(Path(), Path(), workers=workers))

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_numbers import SIZE, Fake
from fake_results import write_fake

from nestbench.errors import RequestError
from nestbench.report.gather import Evidence, gather
from nestbench.results.predictions import read_predictions, writing_predictions
from nestbench.results.records import fingerprint, read_cases, read_result, write_cases, write_result

Make = Callable[..., Evidence]


def test_every_planned_run_is_told_of(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet", "unet++"), failed=("unet/seed-1",))
    assert evidence.runs["state"].tolist() == ["done", "failed", "done", "done", "done", "done"]
    assert evidence.runs["reason"].iloc[1] == "the loss was not finite in epoch 7"


def test_a_run_without_any_file_is_missing(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), failed=("unet/seed-1",)))
    (folder / "nuclei" / "timm-resnet18" / "unet" / "seed-1" / "failed.json").unlink()
    run = gather(folder).runs.iloc[1]
    assert (run["state"], run["reason"]) == ("missing", "it has not been run")


def test_results_of_a_version_that_did_not_tell_the_parts_of_their_time_are_read_beside_others(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=2))
    run = folder / "nuclei" / "timm-resnet18" / "unet" / "seed-0"
    curve = [json.loads(line) for line in (run / "epochs.jsonl").read_text().splitlines()]
    parts = ("feeding", "validating")
    older = [{key: value for key, value in epoch.items() if key not in parts} for epoch in curve]
    (run / "epochs.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in older))
    content = json.loads((run / "result.json").read_text())
    del content["hash"], content["testing"]
    content["files"]["epochs.jsonl"] = hashlib.sha256((run / "epochs.jsonl").read_bytes()).hexdigest()
    (run / "result.json").write_text(json.dumps(content | {"hash": fingerprint(content)}))
    evidence = gather(folder)
    assert evidence.runs["testing"].isna().tolist() == [True, False]
    assert evidence.epochs.groupby("seed")["validating"].count().tolist() == [0, len(evidence.epochs) - len(older)]


def test_a_study_without_a_finished_run_is_refused(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), failed=("unet",)))
    with pytest.raises(RequestError, match=r"no run of the study 'fake-nuclei' .* is finished"):
        gather(folder)


@pytest.mark.parametrize(
    "name",
    [
        "plan.json",
        "nuclei/dataset.json",
        "nuclei/overlays.npz",
        "speed/cpu.json",
        "nuclei/timm-resnet18/unet/seed-0/result.json",
        "nuclei/timm-resnet18/unet/seed-0/cases.parquet",
        "nuclei/timm-resnet18/unet/seed-0/epochs.jsonl",
        "nuclei/timm-resnet18/unet/seed-0/predictions.npz",
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    (folder / name).write_bytes(b"half a fi")
    with pytest.raises(RequestError, match=Path(name).name) as caught:
        gather(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("plan", "said"), [("{}", "it has no 'device'"), ('{"device": "tpu"}', "its device is 'tpu'")])
def test_a_plan_without_a_device_that_is_known_is_named(tmp_path: Path, plan: str, said: str) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    (folder / "plan.json").write_text(plan)
    with pytest.raises(RequestError, match=rf"plan\.json.*{said}"):
        gather(folder)


def test_a_network_with_several_heads_shows_each_and_any_other_none(evidence: Evidence) -> None:
    heads = {key[2]: list(found) for key, found in evidence.heads.items()}
    deep = ["L1", "L2", "L3", "L4", "ensemble"]
    assert heads == {"unet-e": deep, "unet+ds": deep, "unet++ds": deep}
    for key, found in evidence.heads.items():
        assert all((a == b).all() for a, b in zip(found["ensemble"], evidence.predictions[key], strict=True))


def test_a_description_that_lacks_a_key_is_named_with_the_key(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    (folder / "nuclei" / "dataset.json").write_text('{"title": "x"}')
    with pytest.raises(RequestError, match=r"dataset.json': it has no 'licence'"):
        gather(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"there are no results in '.*nothing'"):
        gather(tmp_path / "nothing")


def test_members_are_judged_by_their_primary_output(evidence: Evidence) -> None:
    judged = evidence.primary_cases.groupby("model")["output"].unique()
    assert judged["unet"].tolist() == ["L4"]
    assert judged["unet++ds"].tolist() == ["ensemble"]


def test_predictions_come_from_the_first_finished_seed(make_evidence: Make, tmp_path: Path) -> None:
    evidence = make_evidence(models=("unet",), failed=("unet/seed-0",))
    path = tmp_path / "fake-nuclei/nuclei/timm-resnet18/unet/seed-1/predictions.npz"
    expected = [mask[0] for mask in read_predictions(path, evidence.overlays["nuclei"].cases)]
    np.testing.assert_array_equal(evidence.predictions["nuclei", "timm:resnet18", "unet"], expected)


def test_predictions_that_were_changed_after_their_run_are_refused(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    run = folder / "nuclei/timm-resnet18/unet/seed-0"
    with writing_predictions(run) as write:
        for case in Fake(cases=4).names:
            write(case, np.ones((1, SIZE, SIZE), np.uint8))
    with pytest.raises(RequestError, match=r"predictions.npz': it was changed after its run was done"):
        gather(folder)


def test_a_study_without_speed_has_an_empty_table_of_it(make_evidence: Make) -> None:
    speed = make_evidence(models=("unet",), seeds=1, speed=False).speed
    assert speed.empty
    assert "median_ms" in speed.columns


def test_speed_of_members_that_the_study_no_longer_has_is_left_out(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet", "unet++"), seeds=1, cases=4))
    study = folder / "study.yaml"
    study.write_text(study.read_text().replace("- unet++\n", ""))
    assert set(gather(folder).speed["model"]) == {"unet"}


def test_panels_stand_in_the_order_of_the_study(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet",), seeds=1, datasets=("zebra", "ant"), encoders=("plain", "another"))
    assert evidence.panels == [("zebra", "plain"), ("zebra", "another"), ("ant", "plain"), ("ant", "another")]


def test_two_test_sets_under_one_name_are_refused_with_both_runs(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet", "unet++"), seeds=1, cases=4))
    path = folder / "nuclei" / "timm-resnet18" / "unet++" / "seed-0"
    result = read_result(path)
    assert result is not None
    write_result(path, replace(result, identity=result.identity | {"split": "another"}))
    with pytest.raises(RequestError, match=r"two test sets under the name 'nuclei': '.*unet .* and '.*unet\+\+ "):
        gather(folder)


def test_a_value_that_is_missing_in_the_counts_is_refused(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    path = folder / "nuclei" / "timm-resnet18" / "unet" / "seed-0"
    result = read_result(path)
    assert result is not None
    write_cases(path, read_cases(path).astype({"tp": float}).assign(tp=float("nan")))
    write_result(path, result)
    with pytest.raises(RequestError, match=r"cases.parquet': a value is missing in it"):
        gather(folder)


def test_a_results_file_of_a_newer_version_is_refused_by_its_key(tmp_path: Path) -> None:
    folder = write_fake(tmp_path, Fake(models=("unet",), seeds=1, cases=4))
    path = folder / "nuclei" / "timm-resnet18" / "unet" / "seed-0" / "result.json"
    content = json.loads(path.read_text()) | {"watts": 3}
    content.pop("hash")
    path.write_text(json.dumps(content | {"hash": fingerprint(content)}))
    with pytest.raises(RequestError, match="it has 'watts', which this version of nestbench does not know"):
        gather(folder)

import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.errors import RequestError
from nestbench.instances.count import count
from nestbench.instances.detected import from_labels
from nestbench.results.atomic import write_json
from nestbench.results.instance_tables import read_instances, write_instances
from nestbench.results.places import run_folder
from nestbench.results.records import (
    Epoch,
    Result,
    fingerprint,
    read_begun,
    read_cases,
    read_epochs,
    read_failure,
    read_result,
    write_begun,
    write_cases,
    write_epochs,
    write_failure,
    write_result,
)
from nestbench.results.running import read_mark, running
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Cell, Recipe, Run
from nestbench.study.words import slug

RESULT = Result({"run": 1}, "L4", 0.8, 3, 7, "patience", 100, 1.5, {"L4": {"iou": 0.7}}, {"python": "3"})
EPOCH = Epoch(0, 1.0, 0.9, 0.5, True, 0.1)


def test_what_is_written_is_read(tmp_path):
    write_epochs(tmp_path, [EPOCH, EPOCH])
    written = write_result(tmp_path, RESULT)
    assert read_result(tmp_path) == written
    assert replace(written, files={}) == RESULT
    assert read_epochs(tmp_path) == [EPOCH, EPOCH]


def test_a_result_removes_the_failure_before_it(tmp_path):
    write_failure(tmp_path, "out of memory")
    assert read_failure(tmp_path) == "out of memory"
    assert read_result(tmp_path) is None
    write_result(tmp_path, RESULT)
    assert read_failure(tmp_path) is None


@pytest.mark.parametrize(("was", "becomes"), [('"run": 1', '"run": 2'), ('"iou": 0.7', '"iou": 0.8'), ("0.8", "0.9")])
def test_a_result_that_was_edited_is_refused(tmp_path, was, becomes):
    write_result(tmp_path, RESULT)
    path = tmp_path / "result.json"
    path.write_text(path.read_text().replace(was, becomes))
    with pytest.raises(RequestError, match=r"result.json': it was changed after it was written"):
        read_result(tmp_path)


def test_a_curve_or_table_that_was_edited_is_refused(tmp_path):
    write_epochs(tmp_path, [EPOCH])
    write_cases(tmp_path, pd.DataFrame({"case": ["a"], "tp": [1]}))
    write_result(tmp_path, RESULT)
    assert read_cases(tmp_path)["tp"].item() == 1
    write_epochs(tmp_path, [replace(EPOCH, validation_iou=0.6)])
    write_cases(tmp_path, pd.DataFrame({"case": ["a"], "tp": [2]}))
    for read, name in ((read_epochs, "epochs.jsonl"), (read_cases, "cases.parquet")):
        with pytest.raises(RequestError, match=f"{name}': it was changed after its run was done"):
            read(tmp_path)


def test_a_result_of_a_newer_version_is_refused_by_what_it_has(tmp_path):
    write_result(tmp_path, RESULT)
    path = tmp_path / "result.json"
    content = {k: v for k, v in json.loads(path.read_text()).items() if k != "hash"} | {"energy": 3.0}
    path.write_text(json.dumps(content | {"hash": fingerprint(content)}))
    with pytest.raises(RequestError, match="it has 'energy', which this version of nestbench does not know"):
        read_result(tmp_path)


def test_a_trial_that_was_begun_keeps_its_recipe_until_it_is_done(tmp_path):
    cell = Cell(dataset=DatasetSpec(name="synthetic"), encoder="plain:4", model="unet", depth=2, block="modern")
    run = Run(cell=cell, recipe=Recipe(learning_rate=0.003, batch=4), seed=1, trial=2)
    assert read_begun(tmp_path) is None
    write_begun(tmp_path, run)
    assert read_begun(tmp_path) == run.recipe
    write_result(tmp_path, RESULT)
    assert read_begun(tmp_path) is None


def test_a_damaged_curve_or_table_is_named(tmp_path):
    (tmp_path / "epochs.jsonl").write_text("{")
    (tmp_path / "cases.parquet").write_text("{")
    for read, name in ((read_epochs, "epochs.jsonl"), (read_cases, "cases.parquet")):
        with pytest.raises(RequestError, match=f"cannot read '.*{name}'"):
            read(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}'])
def test_a_result_that_is_not_ours_is_refused_by_name(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(RequestError, match=r"result\.json"):
        read_result(tmp_path)


@given(st.dictionaries(st.text(max_size=5), st.integers()))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(content):
    assert fingerprint(content) == fingerprint(dict(reversed(content.items())))


def test_a_fingerprint_depends_on_every_value():
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_names_become_folders(tmp_path):
    cell = Cell(
        dataset=DatasetSpec(name="nuclei"), encoder="timm:resnet18", model="unet++ds:2", depth=4, block="modern"
    )
    assert slug("timm:resnet18") == "timm-resnet18"
    run = Run(cell=cell, recipe=Recipe(), seed=3)
    assert run_folder(tmp_path, run).relative_to(tmp_path).as_posix() == "nuclei/timm-resnet18/unet++ds-2/seed-3"
    assert run_folder(tmp_path, run.model_copy(update={"trial": 7})).name == "trial-007"


def test_a_run_at_work_is_marked_and_the_mark_goes_with_it(tmp_path):
    with running(tmp_path) as beat:
        beat(EPOCH)
        mark = read_mark(tmp_path)
        assert mark is not None
        assert (mark.process, mark.epochs, mark.validation) == (os.getpid(), 1, 0.5)
    assert read_mark(tmp_path) is None


def test_a_mark_that_is_not_whole_counts_for_nothing(tmp_path):
    with running(tmp_path):
        (tmp_path / "running.json").write_text("half a")
        assert read_mark(tmp_path) is None


def test_what_a_process_leaves_that_is_killed_once_it_has_its_result_is_tidied_away(tmp_path):
    for name in ("checkpoint.safetensors", "running.json", "begun.json", "failed.json"):
        (tmp_path / name).touch()
    write_result(tmp_path, RESULT)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_result_that_lacks_a_field_is_refused_by_the_fields_name(tmp_path):
    path = tmp_path / "result.json"
    write_result(tmp_path, RESULT)
    content = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("primary", "hash")}
    write_json(path, content | {"hash": fingerprint(content)})
    with pytest.raises(RequestError, match=r"cannot read '.*result\.json': it has no 'primary'"):
        read_result(tmp_path)


def test_the_tables_of_objects_are_read_as_written_and_are_sealed(tmp_path):
    truth = np.eye(6, dtype=np.int32)
    counts = count(truth, from_labels(truth, [0.5]), {"split": "test", "case": "a", "subject": "a", "output": "x"})
    write_instances(tmp_path, counts)
    write_result(tmp_path, RESULT)
    for table, again in zip(counts, read_instances(tmp_path), strict=True):
        pd.testing.assert_frame_equal(table, again)
    write_instances(tmp_path, counts.of("validation"))
    with pytest.raises(RequestError, match=r"cases\.parquet': it was changed after its run was done"):
        read_instances(tmp_path)

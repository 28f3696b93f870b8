import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_volumes import SPL, save_itk, save_nifti, turned

from nestbench.cli import answer
from nestbench.datasets.feed import feed
from nestbench.datasets.preparing import prepare
from nestbench.errors import RequestError
from nestbench.evaluate import judge
from nestbench.formats.geometry import canonical
from nestbench.formats.volumes import read_volume
from nestbench.machine import Plan
from nestbench.model import build, save
from nestbench.model.build import specify
from nestbench.model.files import Use
from nestbench.predict.channels import grouped
from nestbench.predict.tasks import check_tasks, find_images, misfit, plan_tasks
from nestbench.study.data import DatasetSpec

NNUNET = ("_0000.", "_0001.")
BRATS = ("MR_Flair", "MR_T1.", "MR_T1c")


def touched(*paths: Path) -> list[Path]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return list(paths)


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """Two patients as BraTS 2013 lays them out, with labels, and one whose files lie side by side."""
    number = 500
    for patient in ("HG/0001", "HG/0002"):
        for kind in ("MR_T1c", "MR_Flair", "MR_T1", "MR_T2", "_3more.XX.XX.OT"):
            name, number = f"VSD.Brain.XX.O.{kind}", number + 1
            touched(tmp_path / patient / name / f"{name}.{number}.mha")
    for kind in ("MR_T1c", "MR_Flair", "MR_T1"):
        touched(tmp_path / "LG" / "0003" / f"VSD.Brain.XX.O.{kind}.{len(kind)}.mha")
    return tmp_path


@given(st.lists(st.text("ab._0", min_size=1, max_size=5), min_size=1, max_size=5, unique=True), st.randoms())
def test_files_of_one_name_are_one_image_in_the_order_of_its_channels(names, random):
    paths = [Path(f"in/{name}{mark}nii.gz") for name in names for mark in NNUNET]
    random.shuffle(paths)
    found = grouped(paths, NNUNET)
    assert {image.name: [path.name for path in image.files] for image in found} == {
        name: [f"{name}{mark}nii.gz" for mark in NNUNET] for name in names
    }
    assert not any(image.wrong for image in found)


@pytest.mark.parametrize("asked", [["HG/0002", "LG/0003", "HG/0001"], ["."], ["HG", "LG"], ["**/*MR_*.mha"]])
def test_a_patients_files_are_one_image_wherever_they_lie_below_their_folder(asked, patients, monkeypatch):
    monkeypatch.chdir(patients)
    found = {image.name: image for image in find_images(asked, BRATS) if not isinstance(image, Path)}
    assert found.keys() == {"0001", "0002", "0003"}
    for image in found.values():
        assert [mark for mark, path in zip(BRATS, image.files, strict=True) if mark in path.name] == list(BRATS)
        assert image.wrong == ""
    masks = [task.mask.name for task in plan_tasks(list(found.values()), patients / "out")]
    assert sorted(masks) == ["0001.mha", "0002.mha", "0003.mha"]


def test_a_channel_without_a_file_is_named(patients):
    (image,) = find_images([str(patients / "HG" / "0001")], (*BRATS, "MR_PD"))
    assert image.wrong.endswith("is one of 4 channels of '0001', and the one whose name holds 'MR_PD' is not there")
    for path in touched(patients / "in" / "a_0001.nii"):
        (alone,) = find_images([str(path)], NNUNET)
        assert alone.wrong == (
            f"'{path}' is one of 2 channels of 'a', and the one whose name holds '_0000' is not there"
        )


def test_two_files_of_one_channel_are_named(tmp_path):
    touched(*(tmp_path / name for name in ("a_0000.nii", "a_0000.nii.gz", "a_0001.nii")))
    (image,) = find_images([str(tmp_path)], NNUNET)
    assert image.wrong.endswith("a_0000.nii.gz' are the same channel of 'a': keep one of them")


def test_an_image_without_a_channel_fails_in_its_turn_and_alone_is_refused(tmp_path):
    for name in ("a_0000.png", "a_0001.png", "b_0000.png"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name)
    spec = specify("unet", "plain:1", 1, in_channels=2)
    tasks = plan_tasks(find_images([str(tmp_path)], NNUNET), tmp_path / "out")
    check_tasks(tasks, spec)
    assert [task.mask.name for task in tasks] == ["a.png", "b.png"]
    assert [bool(misfit(task, spec)) for task in tasks] == [False, True]
    with pytest.raises(RequestError, match=r"^no image fits the network: .*b_0000\.png' is one of 2 channels of 'b'"):
        check_tasks(tasks[1:], spec)


def test_files_that_bear_no_mark_are_whole_images_and_in_a_folder_of_channels_none(tmp_path):
    a, b, label = touched(*(tmp_path / name for name in ("a_0000.nii", "a_0001.nii", "label.nii")))
    assert [image.files for image in find_images([str(tmp_path)], NNUNET)] == [(a, b)]
    assert find_images([str(label), str(a), str(b)], NNUNET)[0] == label
    assert find_images([str(tmp_path)]) == [a, b, label]


def test_no_channel_is_overwritten_by_a_mask(tmp_path):
    touched(*(tmp_path / f"{name}{mark}nii" for name in ("a", "a_0001") for mark in NNUNET))
    images = find_images([str(tmp_path)], NNUNET)
    plan_tasks(images, tmp_path / "out")
    with pytest.raises(RequestError, match=r"would overwrite the image '.*a_0001\.nii'"):
        plan_tasks(images, tmp_path)


def channels_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 900, (2, *shape)).astype(np.int16)


def task_folder(folder: Path, dims: int) -> Path:
    """A task of nnU-Net of two cases with two channels."""
    for number, name in enumerate(("a", "b")):
        values = channels_of((9, 18 + number, 20) if dims == 3 else (18 + number, 20))
        files = {f"imagesTr/{name}_{c:04d}": one for c, one in enumerate(values)}
        for path, one in (files | {f"labelsTr/{name}": (values[1] > 450).astype(np.uint8)}).items():
            if dims == 3:
                save_nifti(folder / f"{path}.nii.gz", *turned(one, SPL, (2, 0, 1), (True, False, True)))
            else:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((one >> 2 if one.max() > 1 else one).astype(np.uint8)).save(folder / f"{path}.png")
    ending = ".nii.gz" if dims == 3 else ".png"
    said = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "blob": 1}, "file_ending": ending}
    (folder / "dataset.json").write_text(json.dumps(said | {"numTraining": 2}))
    return folder


@pytest.mark.parametrize("dims", [2, 3])
def test_a_case_of_two_files_is_predicted_as_it_is_judged(dims, tmp_path):
    spec = DatasetSpec(name="decathlon", path=str(task_folder(tmp_path / "task", dims)), patch=16)
    prepared = prepare(spec, tmp_path, tmp_path / "cache")
    assert prepared.marks == NNUNET
    torch.manual_seed(1)
    model = build("unet++ds", "plain:2", 2, dims=dims, in_channels=2)
    plan = Plan("cpu", "float32", "contiguous", 1)
    found = judge(model, feed(prepared, [0, 1], spec, "cpu"), prepared.cases, prepared.classes, plan, "test")
    save(model, tmp_path / "w", Use(patch=16, marks=prepared.marks))
    assert answer(["predict", str(tmp_path / "w"), str(tmp_path / "task" / "imagesTr"), "--out", str(tmp_path)]) == 0
    for case, one in zip(prepared.cases, found, strict=True):
        path = tmp_path / (f"{case.id}.nii.gz" if dims == 3 else f"{case.id}.png")
        mask = canonical(read_volume(path)).values if dims == 3 else np.asarray(Image.open(path))[None]
        np.testing.assert_array_equal(mask, one.mask)
        assert 0 < one.mask.mean() < 1


def test_channels_that_do_not_lie_on_one_another_fail_with_both_names(tmp_path, capsys):
    for number, shape in enumerate([(4, 6, 8), (4, 6, 9)]):
        save_itk(tmp_path / "in" / f"a_{number:04d}.mha", channels_of(shape)[0])
    save(build("unet", "plain:1", 1, dims=3, in_channels=2), tmp_path / "w", Use(marks=NNUNET))
    assert answer(["predict", str(tmp_path / "w"), str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "a_0001.mha' does not lie on image" in said
    assert said.count("\n") == 1


def test_what_was_put_together_is_told_in_json(tmp_path, capsys):
    for number in range(2):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"a_{number:04d}.png")
    save(build("unet", "plain:1", 1, in_channels=2), tmp_path / "w", Use(marks=NNUNET))
    arguments = ["predict", str(tmp_path / "w"), str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    assert answer(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["marks"] == list(NNUNET)
    assert [Path(path).name for path in said["images"][0]["others"]] == ["a_0001.png"]

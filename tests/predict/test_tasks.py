import nibabel
import numpy as np
import pytest
import tifffile
from fake_lidc import write_slice
from PIL import Image
from tiny_volumes import ramp, save_itk

from nestbench.errors import RequestError
from nestbench.model.build import specify
from nestbench.predict.tasks import Task, check_tasks, find_images, misfit, plan_tasks


@pytest.fixture
def folder(tmp_path):
    """A grey and a colour picture, a volume of each format, a text and a hidden file."""
    inside = tmp_path / "in"
    (inside / "more").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(inside / "grey.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(inside / "more" / "colour.jpg")
    tifffile.imwrite(inside / "pages.tif", np.zeros((4, 8, 8), np.uint8), photometric="minisblack")
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 4), np.uint8), np.eye(4)), inside / "scan.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 4, 2), np.uint8), np.eye(4)), inside / "more" / "two.nii")
    (inside / "notes.txt").write_text("none")
    (inside / ".hidden.png").write_text("none")
    return inside


def test_a_folder_stands_for_the_images_directly_in_it(folder):
    assert [p.name for p in find_images([str(folder)])] == ["grey.png", "pages.tif", "scan.nii.gz"]


def test_a_pattern_stands_for_what_it_matches_at_any_depth(folder):
    found = find_images([str(folder / "**" / "*")])
    assert [p.name for p in found] == ["grey.png", "colour.jpg", "two.nii", "pages.tif", "scan.nii.gz"]


def test_an_image_that_is_named_twice_is_taken_once(folder):
    names = [str(folder / "scan.nii.gz"), str(folder), str(folder / "*.png"), str(folder / "more" / ".." / "grey.png")]
    assert [p.name for p in find_images(names)] == ["scan.nii.gz", "grey.png", "pages.tif"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    path = folder / "a[1].png"
    (folder / "grey.png").rename(path)
    assert find_images([str(path)]) == [path]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.png", "is not there"),
        ("*.jpg", "no image matches"),
        ("notes.txt", "is no image that can be read"),
        ("empty", "no image lies in the folder"),
    ],
)
def test_a_name_that_stands_for_no_image_is_refused(name, words, folder):
    (folder / "empty").mkdir()
    with pytest.raises(RequestError, match=words):
        find_images([str(folder / "grey.png"), str(folder / name)])


def test_masks_have_the_format_of_their_images(folder, tmp_path):
    tasks = plan_tasks(find_images([str(folder / "**" / "*")]), tmp_path / "out", probabilities=True)
    assert [t.mask.name for t in tasks] == ["grey.png", "colour.png", "two.nii", "pages.tif", "scan.nii.gz"]
    assert [t.probabilities.name for t in tasks] == ["grey.npy", "colour.npy", "two.npy", "pages.npy", "scan.npy"]
    assert {path.parent for task in tasks for path in task.outputs} == {tmp_path / "out"}


@pytest.fixture
def series(folder):
    """A folder of DICOM files in the folder of images."""
    for number in range(2):
        write_slice(folder / "series.ct" / f"{number}.dcm", ramp((6, 5)), z=2.0 * number)
    return folder / "series.ct"


def test_a_folder_of_a_series_is_one_image(series, folder, monkeypatch):
    assert find_images([str(series)]) == [series]
    assert find_images([str(folder / "s*")]) == [folder / "scan.nii.gz", series]
    assert [p.name for p in find_images([str(folder)])] == ["grey.png", "pages.tif", "scan.nii.gz", "series.ct"]
    monkeypatch.chdir(series)
    assert [task.mask.name for task in plan_tasks(find_images(["."]), folder / "out")] == ["series.ct.nii.gz"]


def test_a_file_of_a_series_is_no_image(series):
    with pytest.raises(RequestError, match=r"0\.dcm' is no image that can be read \(.*, folders of a DICOM series\)"):
        find_images([str(series / "0.dcm")])


def test_masks_are_one_file_that_can_say_where_it_lies(series, folder, tmp_path):
    sources = [save_itk(folder / name, ramp()) for name in ("a.nrrd", "b.MHA", "c.mhd")]
    tasks = plan_tasks([series, *sources], tmp_path / "out", probabilities=True)
    assert [task.mask.name for task in tasks] == ["series.ct.nii.gz", "a.nrrd", "b.MHA", "c.mha"]
    assert [task.probabilities.name for task in tasks] == ["series.ct.npy", "a.npy", "b.npy", "c.npy"]
    check_tasks(tasks, specify("unet", "plain:1", 1, dims=3))


def test_two_images_whose_masks_would_have_one_name_are_refused(folder, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "grey.jpg")
    with pytest.raises(RequestError, match=r"grey\.jpg' and '.*grey\.png' would both be written to"):
        plan_tasks(find_images([str(folder)]), tmp_path / "out")


def test_two_images_whose_probabilities_would_have_one_name_are_refused(folder, tmp_path):
    (folder / "grey.png").rename(folder / "pages.png")
    plan_tasks(find_images([str(folder)]), tmp_path / "out")
    with pytest.raises(RequestError, match=r"would both be written to '.*pages\.npy'"):
        plan_tasks(find_images([str(folder)]), tmp_path / "out", probabilities=True)


def test_no_image_is_overwritten_by_its_mask(folder):
    with pytest.raises(RequestError, match="would overwrite the image"):
        plan_tasks(find_images([str(folder)]), folder / "more" / "..")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("grey.png", {"dims": 3}, "is a picture, and the network takes volumes"),
        ("grey.png", {"in_channels": 2}, "has 1 channel, and the network takes 2 channels"),
        ("more/colour.jpg", {"in_channels": 1}, "has 3 channels, and the network takes 1 channel"),
        ("more/two.nii", {"in_channels": 3}, "has 2 channels, and the network takes 3 channels"),
    ],
)
def test_a_network_that_takes_none_of_the_images_is_refused(name, options, words, folder, tmp_path):
    spec = specify("unet", "plain:1", 1, **options)
    with pytest.raises(RequestError, match=words):
        check_tasks(plan_tasks([folder / name], tmp_path), spec)
    assert words in misfit(Task(folder / name, tmp_path), spec)


def test_several_images_that_do_not_fit_are_refused_in_one_sentence(folder, tmp_path):
    tasks = plan_tasks([folder / "scan.nii.gz", folder / "grey.png"], tmp_path)
    with pytest.raises(RequestError, match=r"^no image fits the network: .*scan\.nii\.gz' has 1.*; .*grey\.png' has 1"):
        check_tasks(tasks, specify("unet", "plain:1", 1, in_channels=4))


@pytest.mark.parametrize("fitting", ["grey.png", "pages.tif", "more/two.nii"])
def test_an_image_that_does_not_fit_is_left_for_its_turn_where_another_does(fitting, folder, tmp_path):
    spec = specify("unet", "plain:1", 1, in_channels=2 if fitting == "more/two.nii" else 1)
    strange = folder / "more" / "colour.jpg"
    check_tasks(plan_tasks([strange, folder / fitting], tmp_path), spec)
    assert misfit(Task(strange, tmp_path), spec)
    assert not misfit(Task(folder / fitting, tmp_path), spec)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("grey.png", {"in_channels": 3}),
        ("scan.nii.gz", {"in_channels": 3}),
        ("scan.nii.gz", {"dims": 3}),
        ("pages.tif", {"dims": 3}),
        ("more/two.nii", {"in_channels": 2}),
    ],
)
def test_grey_is_taken_for_colour_and_volumes_by_either_network(name, options, folder, tmp_path):
    check_tasks(plan_tasks([folder / name], tmp_path), specify("unet", "plain:1", 1, **options))


def test_a_damaged_file_is_left_to_be_told_of_later(folder, tmp_path):
    (folder / "torn.nii").write_bytes(b"torn")
    check_tasks(plan_tasks([folder / "torn.nii"], tmp_path), specify("unet", "plain:1", 1, dims=3))

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_volumes import save_nifti

from nestbench.cli import answer


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for name in ("a", "b", "c"):
        pixels = np.zeros((40, 50), np.uint8)
        pixels[10:20, 10:30] = 255
        Image.fromarray(pixels // 2).save(folder / "images" / f"{name}.png")
        Image.fromarray(pixels).save(folder / "masks" / f"{name}.png")
    return folder


def test_check_reads_every_file_and_says_what_is_there(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["dataset", "check", "folder", "--option", f"path={images}"]
    assert answer([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["cases"], content["sizes"], content["problems"]) == (3, {"50x40": 3}, [])
    assert content["shares"] == {"background": 0.9, "foreground": 0.1}
    assert answer(command) == 0
    assert "50x40: 3" in capsys.readouterr().out


def test_check_names_each_file_that_is_not_sound_and_fails(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "images" / "b.png").write_bytes(b"no image")
    assert answer(["dataset", "check", "folder", "--option", f"path={images}"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "b.png" in said


def test_options_are_read_as_in_a_study_file(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--option", f"path={images}", "--option", "classes={background: 0, thing: 255}"]
    assert answer(["dataset", "show", "folder", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == ["background", "thing"]


def test_show_draws_the_cases_that_it_is_asked_for(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sheet.png"
    command = ["dataset", "show", "folder", "--option", f"path={images}", "--cases", "2", "--out", str(out)]
    assert answer(command) == 0
    assert str(out) in capsys.readouterr().out
    with Image.open(out) as sheet:
        assert sheet.size == (2 * 204 + 4, 204 + 4)


def test_show_draws_what_can_be_read_and_names_the_rest(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "masks" / "b.png").unlink()
    out = tmp_path / "sheet.png"
    command = ["dataset", "show", "folder", "--option", f"path={images}", "--out", str(out)]
    assert answer(command) == 1
    assert "b.png' has no mask" in capsys.readouterr().err
    with Image.open(out) as sheet:
        assert sheet.size == (2 * 204 + 4, 204 + 4)


def test_show_refuses_a_data_set_of_which_nothing_can_be_drawn(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for mask in (images / "masks").iterdir():
        mask.unlink()
    out = tmp_path / "sheet.png"
    assert answer(["dataset", "show", "folder", "--option", f"path={images}", "--out", str(out)]) == 2
    assert "no case can be drawn: image" in capsys.readouterr().err
    assert not out.exists()


def test_volumes_are_checked_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
        values = np.zeros((6, 5, 4), np.int16)
        values[1:4, 1:4, 1:3] = 1
        save_nifti(tmp_path / kind / "a.nii.gz", values)
    options = ["--option", f"path={tmp_path}", "--option", "classes={background: 0, thing: 1}"]
    assert answer(["dataset", "check", "folder", *options, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["dims"], list(content["sizes"].values()), content["objects"]["max"]) == (3, [1], 1)
    out = tmp_path / "sheet.png"
    window = ["--option", "window=[0, 1]"]
    assert answer(["dataset", "show", "folder", *options, *window, "--out", str(out)]) == 0
    assert out.is_file()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["path=x", "imges=y"], "did you mean 'images'?"),
        (["path={"], "YAML"),
        (["size=3"], "size"),
        (["path=no/such/folder"], "no/such/folder"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(
    options: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["dataset", "check", "folder", *(word for o in options for word in ("--option", o))]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert wanted in said

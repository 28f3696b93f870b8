import json
from typing import Any

import pytest

from nestbench.cli import answer


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert answer(["model", "show", *arguments, "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unet:1", 100_961),
        ("unet:2", 465_953),
        ("unet:3", 1_925_025),
        ("unet", 7_759_521),
        ("wide-unet", 9_282_246),
        ("unet-e", 8_728_356),
        ("unet+", 8_728_257),
        ("unet+ds", 8_728_356),
        ("unet++:2", 511_105),
        ("unet++:3", 2_204_961),
        ("unet++", 9_041_601),
        ("unet++ds", 9_041_700),
    ],
)
def test_the_papers_block_has_the_papers_parameters(
    name: str, parameters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys, name, "--encoder", "plain", "--block", "paper", "--in-channels", "1", "--size", "32")
    assert found["parameters"] == parameters


def test_each_depth_that_a_member_can_be_pruned_to_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet++ds", "--block", "paper", "--size", "32")
    assert found["heads"] == [1, 2, 3, 4]
    counts = {d["depth"]: d["parameters"] for d in found["depths"]}
    assert counts == {1: 100_961, 2: 511_105, 3: 2_204_961, 4: 9_041_601}
    work = [d["flops"] for d in found["depths"]]
    assert work == sorted(work)


def test_a_depth_in_the_name_is_the_depth_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet:2", "--encoder", "plain:4", "--size", "32")
    assert (found["depth"], found["heads"], found["classes"]) == (2, [2], 1)


def test_nodes_are_told_with_what_they_read(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet++:2", "--encoder", "plain:4", "--size", "32")
    reads = {node["name"]: node["reads"] for node in found["nodes"]}
    assert reads == {"x00": [], "x10": [], "x20": [], "x01": ["x10", "x00"], "x11": ["x20", "x10"]} | {
        "x02": ["x11", "x00", "x01"]
    }


def test_people_see_the_grid_and_what_pruning_removes(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unet-e", "--depth", "2", "--encoder", "plain:4", "--size", "32"]) == 0
    said = capsys.readouterr().out
    assert "[x01]" in said
    assert [line.split()[-3:] for line in said.splitlines() if " L1 " in line] == [["x20", "x11", "x02"]]


def test_a_depth_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unet", "--depth", "9"]) == 2
    assert "depth 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "0"], "invalid value for '--size'"),
        (["--size", "8"], "encoder 'plain' at depth 4 cannot take an image of 8 x 8 pixels"),
        (["--encoder", "timm:vit_tiny_patch16_224"], "cannot take an image of 96 x 96 pixels"),
    ],
)
def test_a_size_that_a_network_cannot_take_is_refused(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["model", "show", "unet", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said

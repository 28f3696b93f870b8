"""A tiny study with a network of another library, and one whose encoder begins with weights from a file."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from nestbench.errors import RequestError
from nestbench.model import load
from nestbench.results.places import run_folder
from nestbench.results.reading import read_json
from nestbench.results.records import read_result
from nestbench.runner.events import Finished
from nestbench.runner.means import Means
from nestbench.runner.study import run_study
from nestbench.study.schema import Run, Study


def study(**changes):
    content = {
        "name": "s",
        "datasets": [{"name": "synthetic", "size": 16, "cases": 12}],
        "encoders": ["timm:resnet10t"],
        "models": ["unet"],
        "depth": 2,
        "recipe": {"epochs": 1, "batch": 4},
        "seeds": 1,
    }
    return Study.model_validate(content | changes)


def run(place, asked):
    return list(run_study(asked, place / "results", Means(place, place / "cache")))


def folders(place, asked):
    return [run_folder(place / "results", Run(cell=cell, recipe=asked.recipe, seed=0)) for cell in asked.cells()]


def test_a_network_of_another_library_is_trained_tested_timed_and_kept(tmp_path):
    asked = study(models=["unet", "smp:Unet"])
    run(tmp_path, asked)
    own, outside = folders(tmp_path, asked)
    result = read_result(outside)
    assert result.primary == read_result(own).primary == "L2"
    assert 0 <= result.scores["L2"]["iou"] <= 1
    assert load(outside / "weights.safetensors").spec.name == "smp:Unet"
    (timed,) = (tmp_path / "results" / "speed").glob("*.json")
    assert [row["output"] for row in read_json(timed)["rows"] if row["model"] == "smp:Unet"] == ["L2"]


def test_an_encoder_begins_with_a_files_weights_and_another_file_is_another_study(tmp_path):
    path = tmp_path / "own.safetensors"
    torch.manual_seed(5)
    save_file(timm.create_model("resnet10t", in_chans=3).state_dict(), path)
    asked = study(pretrained={"timm:resnet10t": str(path)})
    assert sum(isinstance(event, Finished) for event in run(tmp_path, asked)) == 1
    assert not any(isinstance(event, Finished) for event in run(tmp_path, asked))
    torch.manual_seed(6)
    save_file(timm.create_model("resnet10t", in_chans=3).state_dict(), path)
    with pytest.raises(RequestError, match="another state of the file of pretrained weights"):
        run(tmp_path, asked)

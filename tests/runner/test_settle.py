import json

import pytest

from nestbench.errors import RequestError
from nestbench.runner.settle import check_names, settle_plan, settle_study
from nestbench.study.files import read_study
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
    ({"encoders": ["timm:test_vit"], "depth": 5}, "cannot give depth 5: its features have strides 16"),
    ({"recipe": {"loss": "dise"}}, "unknown loss 'dise'; did you mean 'dice'"),
    ({"search": {"trials": 1, "space": {"loss": ["dice", "dise"]}}}, "unknown loss 'dise'"),
]


@pytest.mark.parametrize(("change", "sentence"), WRONG)
def test_every_name_is_looked_up_before_any_training(tmp_path, change, sentence):
    with pytest.raises(RequestError, match=sentence):
        check_names(study(**change), tmp_path)


def test_a_study_is_written_down_and_may_grow(tmp_path):
    settle_study(study(), tmp_path)
    settle_study(study(seeds=7, models=["unet"]), tmp_path)
    assert read_study(tmp_path / "study.yaml").seeds == 7


def test_a_changed_study_over_old_results_is_refused_with_what_changed(tmp_path):
    settle_study(study(), tmp_path)
    with pytest.raises(RequestError, match=r"recipe.batch was 16 and is now 4; give the new study a name of its own"):
        settle_study(study(recipe={"batch": 4}), tmp_path)
    assert read_study(tmp_path / "study.yaml").recipe.batch == 16


def test_a_results_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RequestError, match="cannot write to the folder"):
        settle_study(study(), tmp_path / "results" / "s")


def test_a_study_keeps_the_plan_it_began_with(tmp_path):
    plan = settle_plan(tmp_path, "cpu", workers=1)
    other = json.loads((tmp_path / "plan.json").read_text())
    other["precision"] = {"float32": "bfloat16", "bfloat16": "float32"}[plan.precision]
    (tmp_path / "plan.json").write_text(json.dumps(other))
    assert settle_plan(tmp_path, "auto", workers=2).precision == other["precision"]


def test_a_study_that_began_on_another_device_is_refused(tmp_path):
    settle_plan(tmp_path, "cpu", workers=1)
    with pytest.raises(RequestError, match="began on device 'cpu': 'cuda' cannot go on"):
        settle_plan(tmp_path, "cuda", workers=1)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.errors import RequestError
from nestbench.study.files import differences, dump_study, read_study
from nestbench.study.schema import Recipe, Study

MINE = "name: mine\ndatasets: [{name: folder, path: images}]\n"


def written(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def study(**changes):
    return Study.model_validate({"name": "mine", "datasets": [{"name": "synthetic"}]} | changes)


def test_two_lines_are_a_study(tmp_path):
    read = read_study(written(tmp_path, MINE))
    assert read.datasets[0].options == {"path": "images"}
    assert next(str(cell) for cell in read.cells()) == "folder / timm:resnet18 / unet"
    assert read.seeds >= 3


def test_a_study_written_out_is_the_same_study(tmp_path):
    read = read_study(written(tmp_path, MINE + "search: {trials: 2, space: {batch: [4, 8]}}\n"))
    assert read_study(written(tmp_path, dump_study(read))) == read


REFUSED = {
    "name: [mine\n": r"is not YAML \(line 2",
    "- a": "is not a study",
    "": "is not a study",
    "name: mine\n": "the key 'datasets' is missing",
    MINE + "sead: 3": "unknown key 'sead'; did you mean 'seeds'",
    MINE + "recipe: {learning_rat: 1}": r"unknown key 'recipe.learning_rat'; did you mean 'learning_rate'",
    MINE + "models: [unet++d]": r"unknown model 'unet\+\+d'; did you mean 'unet\+\+ds'",
    MINE + "models: [unet, unet]": "models has 'unet' twice",
    MINE + "models: []": "models",
    MINE + "depth: 2\nmodels: [unet, 'unet:2']": "models has 'unet' at depth 2 twice",
    MINE + "depth: 6": "depth is 6, but input should be less than or equal to 5",
    MINE + "block: papr": "block is 'papr', but input should be 'modern' or 'paper'",
    MINE + "seeds: 0": "seeds is 0, but",
    MINE + "recipe: {batch: many}": "recipe.batch is 'many', but",
    MINE + "search: {trials: 1, space: {depth: [1]}}": "'depth' is not a key of the recipe",
    MINE + "search: {trials: 1, space: {batch: [0]}}": "batch is 0, but",
    MINE + "search: {trials: 1, space: {batch: {low: 8, high: 4}}}": "low 8 is not below high 4",
    MINE + "search: {trials: 1, space: {weight_decay: {low: 0, high: 1, log: true}}}": "cannot start at 0",
    MINE + "search: {trials: 1, space: {batch: 4}}": "search.space.batch is 4, but must hold keys and their values",
    MINE + "search: {trials: 1, space: {batch: {low: 1, high: 4, step: 1}}}": "unknown key 'search.space.batch.step'",
    MINE + "search: {trials: 1, space: {augment: {low: 0, high: 1}}}": "'augment' is not a number",
    MINE + "search: {trials: 1, space: {loss: {low: 0, high: 1}}}": "'loss' is not a number",
    MINE
    + "search: {trials: 2, sampler: cmaes, space: {batch: [4, 8]}}": "search: sampler 'cmaes' searches ranges from low",
    MINE
    + "search: {trials: 2, sampler: grid, space: {weight_decay: {low: 0, high: 1}}}": "search: sampler 'grid' needs a "
    "list of choices for 'weight_decay'",
    MINE + "search: {trials: 3, sampler: grid, space: {batch: [4, 8]}}": "each of its 2 points once, but trials is 3",
    MINE
    + "search: {trials: 1, sampler: tpa, space: {batch: [4]}}": "search.sampler is 'tpa', but input should be 'tpe', ",
    MINE
    + "search: {trials: 1, stopper: off, space: {batch: [4]}}": "search.stopper is False, but input should be 'none', ",
    MINE + "recipe: {learning_rate: .inf}": "recipe.learning_rate is inf, but input should be a finite number",
    MINE + "encoders: plain": "encoders is 'plain', but must be a list",
    MINE + "seeds: 3\nseeds: 4": "line 4, column 1: the key 'seeds' is given twice",
    "name: a\ndatasets: [synthetic]": "datasets.0 is 'synthetic', but must hold keys and their values",
    MINE
    + "pretrained: {'timm:b': b.safetensors}": "pretrained has a file for 'timm:b', which is not among the encoders",
    MINE + "pretrained: ./w.safetensors": r"pretrained is './w\.safetensors', but must be true, false, "
    r"or a file for each encoder: {timm:resnet18: \./w\.safetensors}$",
    MINE + "encoders: [plain]\npretrained: {plain: 3}": r"pretrained is {'plain': 3}, but must be .*: {plain: FILE\.",
    MINE + "pretrained: 1": "pretrained is 1, but must be true, false, or a file",
    MINE + "encoders: plain\npretrained: w": "encoders is 'plain', but must be a list",
    "name: a\ndatasets: [{name: synthetic, label: ..}]": "results are kept in a folder of it",
    "name: a\ndatasets: [{name: synthetic, label: speed}]": "that folder holds the timings",
    MINE + "encoders: ['timm:a', timm-a]": "encoders has 'timm:a' twice",
    "name: a/b\ndatasets: [{name: synthetic}]": "results are kept in a folder of it",
    "name: a\ndatasets: [{name: synthetic, split: [0.5, 0.2, 0.2]}]": "add up to 0.9, not to 1",
    "name: a\ndatasets: [{name: synthetic}, {name: synthetic}]": "twice .give one of them a label",
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items())
def test_a_study_that_cannot_be_is_answered_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(RequestError, match=sentence) as caught:
        read_study(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_the_line_that_is_suggested_for_weights_can_be_read(tmp_path):
    with pytest.raises(RequestError) as caught:
        read_study(written(tmp_path, MINE + "pretrained: ./w.safetensors"))
    suggested = str(caught.value).partition("each encoder: ")[2]
    read = read_study(written(tmp_path, MINE + f"pretrained: {suggested}"))
    assert read.start("timm:resnet18") == "./w.safetensors"


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.yaml", tmp_path, tmp_path / "binary"):
        with pytest.raises(RequestError, match="cannot read the study file"):
            read_study(path)


def test_adding_and_removing_cells_and_seeds_is_no_difference():
    grown = study(seeds=9, models=["unet", "unet+"], encoders=["plain"], question="Why?")
    assert differences(study(), grown) == []
    assert differences(study(), study(datasets=[{"name": "nuclei"}, {"name": "synthetic"}])) == []


def test_every_change_that_touches_finished_results_is_named():
    changed = study(depth=3, recipe={"batch": 8}, datasets=[{"name": "synthetic", "size": 64, "cases": 5}])
    assert differences(study(), changed) == [
        "depth was 4 and is now 3",
        "recipe.batch was 16 and is now 8",
        "synthetic.cases was not given and is now 5",
        "synthetic.size was 96 and is now 64",
    ]


@given(st.sampled_from(sorted(Recipe.model_fields)))
def test_every_key_of_the_recipe_is_compared(key):
    other = {
        "learning_rate": 1e-2,
        "schedule": "cosine",
        "batch": 2,
        "epochs": 1,
        "patience": 1,
        "loss": "dice",
        "weight_decay": 0.1,
        "augment": False,
    }
    assert len(differences(study(), study(recipe={key: other[key]}))) == 1


def test_cells_are_every_combination_in_the_files_order():
    cells = list(study(encoders=["plain", "timm:resnet18"], models=["unet", "unet++"]).cells())
    assert [c.key[1:] for c in cells] == [
        ("plain", "unet"),
        ("plain", "unet++"),
        ("timm:resnet18", "unet"),
        ("timm:resnet18", "unet++"),
    ]


def test_every_cell_is_told_how_its_encoder_begins():
    asked = study(encoders=["plain", "timm:a"], models=["unet"], pretrained={"timm:a": "a.safetensors"})
    assert [cell.pretrained for cell in asked.cells()] == [False, "a.safetensors"]
    assert {cell.pretrained for cell in study(pretrained=True).cells()} == {True}
    assert differences(study(), study(pretrained=True)) == ["pretrained.timm:resnet18 was False and is now True"]
    assert (
        differences(asked, study(encoders=["plain", "timm:a", "timm:b"], pretrained={"timm:a": "a.safetensors"})) == []
    )

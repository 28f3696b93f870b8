from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nestbench.report.gather import Evidence
from nestbench.report.prose import limits, methods

Make = Callable[..., Evidence]


def test_the_methods_name_data_networks_training_runs_and_statistics(evidence: Evidence) -> None:
    told = {block["lead"]: block["text"] for block in methods(evidence)}
    assert list(told) == ["Data", "Networks", "Training", "Runs", "Statistics"]
    assert "104 cases of 72 subjects, resized to 32" in told["Data"]
    assert "60 for training, 20 for validation and 24 for testing" in told["Data"]
    assert "U-Net, wide U-Net, " in told["Networks"]
    assert "learning rate 0.0003" in told["Training"]
    assert "3 seeds of each network" in told["Runs"]
    assert "precision bfloat16" in told["Runs"]
    assert "Holm" in told["Statistics"]
    assert "library" not in told["Networks"]


def test_a_search_is_told_with_its_space(make_evidence: Make) -> None:
    told = {block["lead"]: block["text"] for block in methods(make_evidence(models=("unet",), seeds=1, search=True))}
    assert "the same 20 trials (sampler tpe, stopper hyperband)" in told["Search"]
    assert "learning_rate from 0.0001 to 0.01 (logarithmic); loss one of dice and bce-dice" in told["Search"]


def test_networks_of_other_libraries_are_told_apart(make_evidence: Make) -> None:
    told = {b["lead"]: b["text"] for b in methods(make_evidence(models=("unet", "smp:Unet", "smp:FPN"), seeds=1))}
    assert "Unet (smp) and FPN (smp) are built by the library in brackets" in told["Networks"]


def test_how_weights_began_is_told(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet",), seeds=1)
    for pretrained, words in (
        (False, "Weights began random."),
        (True, "Encoders began with their published weights"),
        ({"timm:resnet18": "own.safetensors"}, "(timm:resnet18 from own.safetensors)"),
    ):
        study = evidence.study.model_copy(update={"pretrained": pretrained})
        told = {block["lead"]: block["text"] for block in methods(replace(evidence, study=study))}
        assert words in told["Training"]


def test_an_epoch_of_drawn_windows_is_told(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet",), seeds=1)
    (spec,) = evidence.study.datasets
    (about,) = evidence.datasets.values()

    def told(samples: int | None, **view: Any) -> str:
        study = evidence.study.model_copy(update={"datasets": (spec.model_copy(update={"samples": samples}),)})
        return methods(replace(evidence, study=study, datasets={spec.title: about | view}))[0]["text"]

    assert "An epoch" not in told(None)
    assert "An epoch shows 240 images of the training side, some more than once, drawn anew" in told(240)
    assert "An epoch shows 60 images of the training side, drawn anew" in told(60)
    assert "An epoch shows 240 slices" in told(240, volumes=True)
    assert "An epoch shows 240 windows" in told(240, volumes=True, patch=96)


def test_a_run_that_cannot_end_early_is_not_said_to_be_stopped(make_evidence: Make) -> None:
    evidence = make_evidence(models=("unet",), seeds=1)
    for epochs, patience, words in (
        (60, 10, "at most 60 epochs, stopped after 10 without"),
        (16, 16, ", 16 epochs; the weights are those of the epoch with the best validation IoU."),
    ):
        recipe = evidence.study.recipe.model_copy(update={"epochs": epochs, "patience": patience})
        changed = replace(evidence, study=evidence.study.model_copy(update={"recipe": recipe}))
        assert words in {block["lead"]: block["text"] for block in methods(changed)}["Training"]


def test_the_limits_count_seeds_and_test_subjects(make_evidence: Make) -> None:
    text = " ".join(block["text"] for block in limits(make_evidence(models=("unet",), seeds=1, cases_a_subject=4)))
    assert "finished runs of 1 seed; the test subjects are 3 of nuclei" in text
    assert "This study searched nothing" in text
    assert "neither present nor predicted scores 1" in text

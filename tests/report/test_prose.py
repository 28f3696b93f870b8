from collections.abc import Callable

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


def test_a_search_is_told_with_its_space(make_evidence: Make) -> None:
    told = {block["lead"]: block["text"] for block in methods(make_evidence(models=("unet",), seeds=1, search=True))}
    assert "the same 20 trials (sampler tpe, stopper hyperband)" in told["Search"]
    assert "learning_rate from 0.0001 to 0.01 (logarithmic); loss one of dice and bce-dice" in told["Search"]


def test_the_limits_count_seeds_and_test_subjects(make_evidence: Make) -> None:
    text = " ".join(block["text"] for block in limits(make_evidence(models=("unet",), seeds=1, cases_a_subject=4)))
    assert "finished runs of 1 seed; the test subjects are 3 of nuclei" in text
    assert "This study searched nothing" in text
    assert "neither present nor predicted scores 1" in text

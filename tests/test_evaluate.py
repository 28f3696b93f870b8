import numpy as np
import pytest
import torch

from nestbench.datasets.contract import Case
from nestbench.datasets.feed import Feed, standardise
from nestbench.evaluate import BATCH, count_cases, mean_iou, outputs, predicted_masks
from nestbench.machine import Plan
from nestbench.metrics import probabilities
from nestbench.model import build, prune
from nestbench.results.scores import COLUMNS, case_scores

PLAN = Plan("cpu", "float32", "contiguous", 1)
CASES = [Case(f"case-{i}", f"subject-{i // 2}") for i in range(BATCH + 3)]


def pictures(classes=2):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (len(CASES), 1, 16, 16), dtype=torch.uint8, generator=generator)
    return Feed(images, torch.randint(0, classes, (len(CASES), 16, 16), dtype=torch.uint8, generator=generator))


def network(classes=1, name="unet++ds"):
    torch.manual_seed(0)
    return build(name, "plain:2", depth=2, classes=classes)


@pytest.mark.parametrize(("classes", "names"), [(1, ["background", "cell"]), (3, ["background", "a", "b"])])
def test_every_case_output_and_class_has_a_row(classes, names):
    counts = count_cases(network(classes), pictures(len(names)), CASES, names, PLAN, "test")
    assert list(counts.columns) == list(COLUMNS)
    assert len(counts) == len(CASES) * 3 * (len(names) - 1)
    assert set(counts["output"]) == {"L1", "L2", "ensemble"}
    assert (counts[["tp", "fp", "fn", "tn"]].sum(axis=1) == 256).all()
    assert counts.groupby("case")["subject"].first().to_dict() == {c.id: c.subject for c in CASES}


def test_the_ensemble_is_the_mean_of_the_heads_probabilities():
    logits = network().eval()(torch.randn(2, 1, 16, 16))
    mean = (probabilities(logits[1]) + probabilities(logits[2])) / 2
    torch.testing.assert_close(outputs(logits)["ensemble"], mean)


def test_a_pruned_network_scores_as_its_head_did():
    model = network()
    whole = case_scores(count_cases(model, pictures(), CASES, ["background", "cell"], PLAN, "test"))
    small = case_scores(count_cases(prune(model, 1), pictures(), CASES, ["background", "cell"], PLAN, "test"))
    assert set(small["output"]) == {"L1"}
    np.testing.assert_array_equal(small["iou"], whole.loc[whole["output"] == "L1", "iou"])


def test_the_validation_iou_is_the_tables():
    model, data = network(), pictures()
    scores = case_scores(count_cases(model, data, CASES, ["background", "cell"], PLAN, "validation"))
    with torch.no_grad():
        probability = outputs(model(standardise(data.images)))["ensemble"]
    expected = scores.loc[scores["output"] == "ensemble", "iou"]
    np.testing.assert_allclose(mean_iou(probability, data.masks.long()), expected)


@pytest.mark.parametrize("classes", [1, 4])
def test_predicted_masks_hold_classes(classes):
    masks = predicted_masks(network(classes), pictures(), PLAN)
    assert masks.shape == (len(CASES), 16, 16)
    assert masks.dtype == np.uint8
    assert masks.max() < max(2, classes)

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from nestbench.metrics import confusion, count, decide, probabilities
from nestbench.results.scores import THRESHOLDS


def random_case(classes, seed, size=12):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 1 if classes == 2 else classes, size, size, generator=generator)
    return probabilities(logits), torch.randint(0, classes, (3, size, size), generator=generator)


@given(st.integers(2, 5), st.integers(0, 10_000))
def test_counts_are_those_of_a_confusion_matrix(classes, seed):
    probability, truth = random_case(classes, seed)
    counts, decided = count(probability, truth), decide(probability)
    for case in range(3):
        matrix = confusion_matrix(truth[case].ravel(), decided[case].ravel(), labels=range(classes))
        for c in range(1, classes):
            tp, fp, fn = matrix[c, c], matrix[:, c].sum() - matrix[c, c], matrix[c].sum() - matrix[c, c]
            assert counts.tp[case, c - 1] == tp
            assert counts.fp[case, c - 1] == fp
            assert counts.fn[case, c - 1] == fn
            assert counts.tn[case, c - 1] == matrix.sum() - tp - fp - fn


@given(st.integers(2, 4), st.integers(0, 10_000), st.integers(0, 12))
def test_pixels_that_do_not_count_might_as_well_not_be_there(classes, seed, row):
    probability, truth = random_case(classes, seed)
    counted = torch.zeros_like(truth, dtype=torch.bool)
    counted[:, row:] = True
    parts = confusion(probability, truth, counted), confusion(probability[:, :, row:], truth[:, row:])
    assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))


@given(st.integers(2, 4), st.integers(0, 10_000))
def test_counts_at_thresholds_are_those_of_thresholded_probabilities(classes, seed):
    probability, truth = random_case(classes, seed)
    counts = count(probability, truth)
    for i, percent in enumerate(THRESHOLDS):
        above = (probability[:, 1:] >= percent / 100).numpy()
        true = np.stack([(truth == c).numpy() for c in range(1, classes)], axis=1)
        np.testing.assert_array_equal(counts.tp_at[..., i], (above & true).sum(axis=(2, 3)))
        np.testing.assert_array_equal(counts.fp_at[..., i], (above & ~true).sum(axis=(2, 3)))


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_probabilities_add_up_to_one(classes):
    probability = probabilities(torch.randn(2, classes, 4, 4))
    assert probability.shape[1] == max(2, classes)
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(2, 4, 4))


def test_one_half_counts_as_foreground():
    assert decide(probabilities(torch.zeros(1, 1, 1, 1))).item() == 1


@given(st.integers(2, 4), st.integers(0, 10_000))
def test_counts_are_those_of_segmentation_models_pytorch(classes, seed):
    probability, truth = random_case(classes, seed)
    theirs = smp.metrics.get_stats(decide(probability), truth, mode="multiclass", num_classes=classes)
    ours = count(probability, truth)
    for mine, their in zip((ours.tp, ours.fp, ours.fn, ours.tn), theirs, strict=True):
        assert torch.equal(mine, their[:, 1:])


@pytest.mark.parametrize("classes", [2, 4])
def test_a_volume_counts_as_its_pixels_do_in_any_shape(classes):
    probability, truth = random_case(classes, seed=1)
    volume = count(probability.unflatten(2, (3, 4)), truth.unflatten(1, (3, 4)))
    for mine, flat in zip(volume, count(probability, truth), strict=True):
        assert torch.equal(mine, flat)

import numpy as np
import pytest
from drawn_objects import disc

from nestbench.instances.detected import from_labels, from_masks, without_small


def test_objects_come_the_surest_first_and_as_they_were():
    masks = np.array([disc(np.random.default_rng(n), 20) for n in range(4)])
    found = from_masks(masks, [0.2, 0.9, 0.5, 0.9])
    assert found.scores.tolist() == pytest.approx([0.9, 0.9, 0.5, 0.2])
    assert found.scores.dtype == np.float32
    assert np.array_equal(found.masks, masks[[1, 3, 2, 0]])
    assert found.areas.tolist() == masks[[1, 3, 2, 0]].sum(axis=(1, 2)).tolist()


def test_an_empty_mask_is_no_object():
    masks = np.zeros((2, 4, 4), bool)
    masks[1, 0, 0] = True
    assert from_masks(masks, [0.9, 0.5]).scores.tolist() == [0.5]
    assert len(from_masks(masks[:0], [])) == len(from_labels(np.zeros((4, 4), int), [])) == 0
    assert from_masks(masks[:0], []).masks.shape == (0, 4, 4)


def test_of_objects_that_overlap_a_pixel_is_given_to_the_surest():
    masks = np.zeros((2, 1, 4), bool)
    masks[0, 0, :3], masks[1, 0, 1:] = True, True
    assert from_masks(masks, [0.1, 0.8]).labels.tolist() == [[2, 1, 1, 1]]


def test_a_label_map_and_its_masks_are_the_same_objects():
    labels = np.array([[7, 7, 0], [0, 2, 2]], np.int32)
    found = from_labels(labels, [0.3, 0.6])
    assert found.labels.tolist() == [[1, 1, 0], [0, 2, 2]]
    assert np.array_equal(found.masks, from_masks(np.stack([labels == 7, labels == 2]), [0.6, 0.3]).masks)


def test_each_object_has_one_score():
    with pytest.raises(ValueError, match="2 objects and 1 scores"):
        from_labels(np.array([[1, 2]]), [0.5])


def test_small_objects_can_be_left_out():
    found = without_small(from_labels(np.array([[1, 2, 2, 3, 3, 3]]), [0.9, 0.8, 0.7]), 2)
    assert found.areas.tolist() == [2, 3]
    assert found.scores.tolist() == pytest.approx([0.8, 0.7])

import numpy as np

from nestbench.results.predictions import NAME, read_every, read_predictions, writing_predictions

MASKS = {case: np.full((1, 3, 4), number, np.uint8) for number, case in enumerate(("a", "b/c", "L1"))}


def test_masks_come_back_by_case_and_output_the_judged_one_last(tmp_path):
    with writing_predictions(tmp_path) as write:
        for case, mask in MASKS.items():
            write(case, mask, {"L1": mask + 10, "L2": mask + 20})
    every = read_every(tmp_path / NAME, ["L1", "a"])
    assert list(every) == ["L1", "L2", ""]
    assert [[int(mask[0, 0, 0]) for mask in masks] for masks in every.values()] == [[12, 10], [22, 20], [2, 0]]
    np.testing.assert_array_equal(read_predictions(tmp_path / NAME, ["b/c"])[0], MASKS["b/c"])


def test_a_file_without_other_outputs_has_the_judged_one_alone(tmp_path):
    with writing_predictions(tmp_path) as write:
        write("a", MASKS["a"])
    assert list(read_every(tmp_path / NAME, ["a"])) == [""]

import pytest

from nestbench.cluster.nodes import fits, why


@pytest.mark.parametrize(
    ("needs", "has", "runs"),
    [
        ({"CPU": 2}, {"CPU": 7.0}, 3),
        ({"CPU": 2}, {}, 0),
        ({"CPU": 1, "GPU": 1}, {"CPU": 64.0}, 0),
        ({"CPU": 8, "GPU": 1}, {"CPU": 16.0, "GPU": 4.0}, 2),
        *(({"CPU": 1, "GPU": 1 / share}, {"CPU": 64.0, "GPU": 2.0}, 2 * share) for share in range(1, 11)),
    ],
)
def test_a_node_has_room_for_as_many_runs_as_its_scarcest_part(needs, has, runs):
    assert fits(needs, {"Resources": has}) == runs


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the node is gone. To see more,\nread this"), "the node is gone"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_of_what_ray_says_the_first_sentence_is_passed_on(error, said):
    assert why(error) == said


def test_of_an_error_in_a_nodes_process_its_own_words_are_passed_on():
    error = RuntimeError("task failed:\nmany lines")
    error.cause = ModuleNotFoundError("No module named 'nestbench'")
    assert why(error) == "ModuleNotFoundError: No module named 'nestbench'"

import json

import pytest

from nestbench.cli.answers import amount, duration, in_words, say_json, say_table


@pytest.mark.parametrize(
    ("number", "words"), [(12, "12"), (9_041, "9,041"), (1_500_000, "1.50 M"), (2.5e9, "2.50 G"), (3.14e12, "3.14 T")]
)
def test_amounts_have_three_digits_and_a_unit(number: float, words: str) -> None:
    assert amount(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0 s"), (40.4, "40 s"), (720, "12 min"), (11_100, "3 h 05 min"), (7_200, "2 h 00 min")]
)
def test_durations_are_said_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_table_in_a_pipe_keeps_each_row_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(("name", ">count"), [("a [long] name " * 10, "7")])
    rows = [line for line in capsys.readouterr().out.splitlines() if "[long]" in line]
    assert len(rows) == 1
    assert rows[0].rstrip().endswith("7")


def test_json_comes_back_as_it_went(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": [1, None, "ü"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None, "ü"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [(["a", 1], "a, 1"), (("a",), "a"), ({"a": 1, "b": 2}, "a: 1, b: 2"), (3, "3"), ("text", "text")],
)
def test_plain_data_is_said_in_words(value: object, words: str) -> None:
    assert in_words(value) == words

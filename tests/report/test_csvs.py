from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.errors import RequestError
from nestbench.report.csvs import table_differences

TABLE = 'model,iou,note\nunet,0.25,"a, b"\nunet++,0.5,\n'


def differences(tmp_path: Path, old: str | None, new: str | None) -> list[str]:
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).mkdir(exist_ok=True)
        if text is not None:
            (tmp_path / name / "t.csv").write_text(text)
    return [said.replace(f"{tmp_path}/", "") for said in table_differences(tmp_path / "old", tmp_path / "new")]


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (TABLE, []),
        (TABLE.replace("0.5", "0.50000000000001"), []),
        (TABLE.replace("0.5", "0.51"), ["'old/t.csv', row 2, column 'iou': it has '0.51', the results give '0.5'"]),
        (TABLE.replace("a, b", "a"), ["'old/t.csv', row 1, column 'note': it has 'a', the results give 'a, b'"]),
        (
            TABLE.replace("iou", "dice"),
            ["'old/t.csv', columns: it has 'model, dice, note', the results give 'model, iou, note'"],
        ),
        ("", ["'old/t.csv', columns: it has '', the results give 'model, iou, note'"]),
        (None, ["'old/t.csv' is not there, and the results give it"]),
    ],
    ids=["same", "rounded otherwise", "number", "words", "columns", "empty", "gone"],
)
def test_the_first_difference_is_named(tmp_path: Path, old: str | None, said: list[str]) -> None:
    assert differences(tmp_path, old, TABLE) == said


def test_a_table_and_rows_that_the_results_do_not_give_are_named(tmp_path: Path) -> None:
    assert differences(tmp_path, TABLE, None) == ["'old/t.csv' is no table that the results give"]
    said = differences(tmp_path, TABLE + "unet+,0.1,\n", TABLE)
    assert said[0] == "'old/t.csv', row 3, column 'model': it has 'unet+', the results give ''"


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_whole_numbers_are_compared_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, one: int, other: int
) -> None:
    place = tmp_path_factory.mktemp("whole")
    assert bool(differences(place, f"n\n{one}\n", f"n\n{other}\n")) == (one != other)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    differences(tmp_path, TABLE, TABLE)
    (tmp_path / "old" / "t.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(RequestError, match=r"cannot read '.*old/t.csv'"):
        list(table_differences(tmp_path / "old", tmp_path / "new"))

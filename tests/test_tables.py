"""A table that is one test tells of every row that fails."""

import pytest
from tables import each_row


def test_every_row_that_fails_is_told() -> None:
    asked = []

    @each_row("n", [1, pytest.param(2, id="two")])
    @each_row(("word", "length"), [("a", 1), ("bb", 2), ("ccc", 4)])
    def table(n: int, word: str, length: int) -> None:
        asked.append((n, word))
        if n == 2:
            pytest.fail("no")
        assert len(word) == length

    with pytest.raises(BaseExceptionGroup) as caught:
        table()
    assert len(asked) == 6
    first, second = caught.value.exceptions
    assert [str(e.__notes__) for e in first.exceptions] == ["['In the row ccc, 4']"]
    assert len(second.exceptions) == 3
    assert second.__notes__ == ["In the row two"]


def test_rows_that_hold() -> None:
    @each_row("n", range(3))
    def table(n: int) -> None:
        assert n < 3

    table()


def test_a_table_without_rows_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="asks nothing"):
        each_row("n", [])(lambda n: None)()

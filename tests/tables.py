"""A long table is one test: each of its rows is asked, and each that fails is told.

`@each_row("given, expected", ROWS)` is written as `pytest.mark.parametrize` is, over a plain
function of nothing but rows. For pytest a row is a test, which costs some milliseconds in
each worker and again in who hands them out: more than a row of a pure function takes.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def each_row(
    names: str | Sequence[str],
    rows: Iterable[Any],
    ids: Iterable[Any] | Callable[[Any], Any] | None = None,
) -> Callable[[Test], Test]:
    """The test fails with one exception for each row that fails, which names the row."""
    keys = [*map(str.strip, names.split(","))] if isinstance(names, str) else [*names]
    table = [*rows]
    called = [*ids] if isinstance(ids, Iterable) else [None] * len(table)

    def over(test: Test) -> Test:
        @functools.wraps(test)
        def every(**more: Any) -> None:
            assert table, "a table without rows asks nothing"
            failed: list[BaseException] = []
            for row, name in zip(table, called, strict=True):
                values = _values(row, len(keys))
                try:
                    test(**dict(zip(keys, values, strict=True)), **more)
                except (Exception, BaseExceptionGroup, pytest.fail.Exception) as error:
                    name = name or getattr(row, "id", None)
                    name = name or ", ".join(map(str, values))[:200]
                    error.add_note(f"In the row {name}")
                    failed.append(error)
            if failed:
                said = f"{len(failed)} of {len(table)} rows"
                raise BaseExceptionGroup(said, failed)

        left = inspect.signature(test).parameters.keys() - {*keys}
        every.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY) for one in left]
        )
        del every.__wrapped__  # type: ignore[attr-defined]
        return every

    return over


def _values(row: Any, count: int) -> Sequence[Any]:
    if hasattr(row, "marks"):  # pytest.param
        assert not row.marks, "a row has no marks"
        return row.values
    return [row] if count == 1 else row

"""How much of a large space a run looks at: the short form, or all of it.

Short is what everybody runs: a fifth of the examples of each hypothesis property, and of
a matrix every row and every column. `make properties` (HYPOTHESIS_PROFILE=thorough) takes
all examples, `make matrix` (FULL_MATRIX=1) every pair.
"""

import os
from collections.abc import Collection
from itertools import cycle, islice, product
from typing import Any, TypeVar

from hypothesis import settings

Row = TypeVar("Row")
Column = TypeVar("Column")

SHORT = os.environ.get("HYPOTHESIS_PROFILE", "gateway") == "gateway"
FULL_MATRIX = bool(os.environ.get("FULL_MATRIX"))


def examples(whole: int, **more: Any) -> settings:
    """A property with more or fewer examples than others: `whole` of them, short a fifth."""
    return settings(max_examples=max(8, whole // 5) if SHORT else whole, **more)


def pairs(
    rows: Collection[Row], columns: Collection[Column]
) -> list[tuple[Row, Column]]:
    """Every row and every column at least once; every pair in the whole form."""
    if FULL_MATRIX:
        return list(product(rows, columns))
    count = max(len(rows), len(columns))
    return list(
        zip(islice(cycle(rows), count), islice(cycle(columns), count), strict=True)
    )

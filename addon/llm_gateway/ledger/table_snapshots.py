"""Table snapshot: a table's whole content, its newest rows, or a change of it, as a value.

Only the newest version of each counts: one that was not written yet is replaced by the
next. What this file does not know: which tables there are, files, threads.
"""

from dataclasses import dataclass, replace

from llm_gateway.ledger.rows import Row


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A table's whole content."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def clearing(self) -> str:
        return f"DELETE FROM {self.table}"

    @property
    def sql(self) -> str:
        names = ", ".join(f'"{c}"' for c in self.columns)
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT OR REPLACE INTO {self.table} ({names}) VALUES ({marks})"

    def after(self, earlier: "TableSnapshot | None") -> "TableSnapshot":
        """What is to be written when `earlier` was not written yet: the newer alone."""
        return self


@dataclass(frozen=True, slots=True)
class AddedRows(TableSnapshot):
    """Rows that are added to a table of which only the newest are kept, by its `n`."""

    most: int

    @property
    def clearing(self) -> str:
        # Of the rows that are to come, each takes the place of one.
        place = f"(SELECT max(n) FROM {self.table})"
        return f"DELETE FROM {self.table} WHERE n <= {place} - {self.most - len(self.rows)}"

    def after(self, earlier: TableSnapshot | None) -> TableSnapshot:
        if earlier is None:
            return self
        return replace(self, rows=(*earlier.rows, *self.rows)[-self.most :])


@dataclass(frozen=True, slots=True)
class Change(TableSnapshot):
    """A statement that changes a table by what is in it already; may be done again."""

    statement: str

    @property
    def clearing(self) -> str:
        return self.statement

    @property
    def sql(self) -> str:
        return "DELETE FROM unsent WHERE false"  # there is no row to write

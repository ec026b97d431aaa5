"""Shape of a row of quirks: what is known of some models at some types of providers."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from llm_gateway.domain import Dialect

ANY = "*"
"""Types of a row that holds for a model wherever it is served."""


class QuirkRow(NamedTuple):
    """What is known of one kind of model at some types of providers."""

    types: str
    """Types with commas between them, or ANY."""
    dialect: Dialect
    models: str
    """Names with commas between them, in lower case, without a publisher in front; `*` is a
    wildcard, and a name behind `!` is left out."""
    quirks: str
    """As text, with spaces between them."""
    source: str
    as_of: str = "2026-11-28"
    """ISO date at which the source was read."""

    def holds(self, type_: str, dialect: Dialect, bare: str) -> bool:
        if dialect != self.dialect:
            return False
        if self.types != ANY and type_ not in self.types.split(","):
            return False
        names = self.models.split(",")
        out = [name[1:] for name in names if name.startswith("!")]
        return any(fnmatchcase(bare, name) for name in names) and not any(
            fnmatchcase(bare, name) for name in out
        )

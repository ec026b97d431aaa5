"""Table of quirks of one dialect: rows of providers, by type or host, and rows of models.

Of each group the first row that fits holds, so that a particular row stands in front of a
general one: a model of a family says all that is known of it. What the provider's row says
wins over the model's; a provider that gives its own models other makers' names (an endpoint
for Claude Code, mostly) has `own_names`.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirks
from llm_gateway.domain import Dialect


class TableRow(NamedTuple):
    """One row. It fits where type or host, and the model's name, do."""

    quirks: Quirks
    types: tuple[str, ...] = ()
    """Types of providers; neither these nor `hosts`: any provider."""
    hosts: tuple[str, ...] = ()
    """Hosts, whatever the type: `*` is a wildcard."""
    models: tuple[str, ...] = ("*",)
    """Names as they are sent, in lower case, behind a slash or not: `*`, `?` are wildcards."""
    own_names: bool = False
    """Its models are its own, whatever they are called: the rows of models do not hold."""
    as_of: str = ""
    """ISO date at which the source was read."""
    source: str = ""

    def fits(self, type: str, host: str, model: str) -> bool:
        if self.types or self.hosts:
            here = any(fnmatchcase(host, pattern) for pattern in self.hosts)
            if type not in self.types and not here:
                return False
        names = (model, model.rpartition("/")[2])
        return any(fnmatchcase(name, p) for p in self.models for name in names)


class QuirkTable(NamedTuple):
    """Rows of one dialect."""

    dialect: Dialect
    providers: tuple[TableRow, ...]
    models: tuple[TableRow, ...]
    """Of models, wherever they are served."""
    unknown: Quirks = NO_QUIRKS
    """Where no row fits: nothing is known of the provider, nor of the model."""

    def of(self, type: str, host: str, model: str) -> Quirks:
        model, host = model.lower(), host.lower()
        provider = _first(self.providers, type, host, model)
        named = None
        if provider is None or not provider.own_names:
            named = _first(self.models, type, host, model)
        if provider is None and named is None:
            return self.unknown
        quirks = NO_QUIRKS if named is None else named.quirks
        return quirks if provider is None else quirks | provider.quirks


def _first(
    rows: Iterable[TableRow], type: str, host: str, model: str
) -> TableRow | None:
    return next((row for row in rows if row.fits(type, host, model)), None)

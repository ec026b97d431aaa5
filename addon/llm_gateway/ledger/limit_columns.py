"""A limit as columns: scope, metric, window, amounts in the ledger's units."""

from collections.abc import Sequence

from llm_gateway.domain import Limit, Metric
from llm_gateway.ledger.rows import Row


def scope_columns(scope: Sequence[str]) -> tuple[str, str, str, str, str]:
    """(scope, provider, account, model, client), '' where a scope has no such part.

    Raises:
        ValueError: that is no limit's scope.
    """
    match tuple(scope):
        case ("client", name):
            return ("client", "", "", "", name)
        case (kind, provider, account, model):
            return (kind, provider, account, model, "")
        case (kind, provider, account):
            return (kind, provider, account, "", "")
        case (kind, *_):
            return (kind, "", "", "", "")
    raise ValueError(f"{scope!r} is not a limit's scope")


def amount(metric: Metric, value: int) -> int | float:
    """Requests and tokens as they are, nano-dollars as US$."""
    return value / 1e9 if metric is Metric.COST else value


LIMIT_COLUMNS = ("scope", "provider", "account", "model", "client", "metric", "window")


def limit_row(limit: Limit) -> Row:
    return (*scope_columns(limit.scope), limit.metric.value, limit.window.value)

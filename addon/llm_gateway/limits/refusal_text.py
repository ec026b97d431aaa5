"""Texts of limit refusals, for people."""

from llm_gateway.domain import NANO, Limit, Metric
from llm_gateway.limits.values import LimitStatus, Scope


def reason(
    standing: LimitStatus, amount: int, needed: int, fits_at: float | None
) -> str:
    """One clause: `requests/day 20 of 20 on groq`."""
    limit = standing.limit
    head = f"{limit.metric.value}/{limit.window.value}"
    where = place(limit.scope)
    if fits_at is None:
        return f"{head} {amount_text(limit, needed)} needed, {amount_text(limit, amount)} allowed {where}"
    spent = standing.used + standing.reserved
    if spent + needed <= amount:  # by our count it would fit
        text = f"{head} {amount_text(limit, standing.remaining)} left {where}"
        text += f" by the provider's word ({standing.source})"
    else:
        text = f"{head} {amount_text(limit, spent)} of {amount_text(limit, amount)} {where}"
    if limit.metric is not Metric.REQUESTS:
        text += f", {amount_text(limit, needed)} needed"
    return text


def place(scope: Scope) -> str:
    """Where a limit holds, as people say it: `on groq`, `for client cursor`."""
    match scope:
        case ("provider", provider, account):
            return f"on {_account(provider, account)}"
        case ("model", provider, account, model):
            return f"on {_account(provider, account)} {model}"
        case ("tier", provider, account, tier):
            return f"on {_account(provider, account)} ({tier} models)"
        case ("client", name):
            return f"for client {name}"
        case ("budget",):
            return "in the budget"
        case _:
            return f"on {' '.join(scope)}"


def _account(provider: str, account: str) -> str:
    return f"{provider} key {account}" if account else provider


def amount_text(limit: Limit, amount: int) -> str:
    """`20`, or `$0.35` where the limit is one of money."""
    if limit.metric is not Metric.COST:
        return str(amount)
    if 0 < amount < 1_000:
        return "<$0.000001"
    return f"${amount / NANO:.6f}".rstrip("0").rstrip(".")

"""Effort of a thinking budget, and budget of an effort."""

BUDGETS = {
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 32_000,
    "max": 64_000,
}
"""Tokens of manual thinking that stand for an effort."""


def effort_of_budget(budget: int) -> str:
    """Low, medium or high: the others are not known everywhere. 0 and less: none."""
    if budget <= 0:
        return "none"
    if budget <= BUDGETS["low"]:
        return "low"
    return "medium" if budget <= BUDGETS["medium"] else "high"

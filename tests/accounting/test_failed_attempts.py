"""What failed attempts cost, on the row of their request."""

import pytest

from llm_gateway.accounting.failed_attempts import FailedSpend, add_to_record
from llm_gateway.domain import RequestRecord, Usage

REPORTED = Usage(10, output_tokens=5, source="reported")
BILL_ONLY = Usage(source="estimated", bill=7)


def spend(cost: int | None, source: str | None = "provider") -> FailedSpend:
    return FailedSpend(REPORTED, cost, source)


def record(cost: int | None, source: str | None, saved: int | None = None):
    usage = Usage(
        1, output_tokens=1, source="unknown" if source is None else "reported"
    )
    found = RequestRecord("r", 0.0, "", "", "chat", "m", usage=usage)
    found.cost, found.price_source, found.saved = cost, source, saved
    return found


@pytest.mark.parametrize(
    ("cost", "source", "spent", "answered", "sum_of", "named", "tokens"),
    [
        (5, "config", [], True, 5, "config", 2),
        (5, "config", [spend(7)], True, 12, "config", 2),
        (5, "config", [spend(7), spend(0, "free")], True, 12, "config", 2),
        (0, "free", [spend(7)], True, 7, "provider", 2),
        (0, "free", [spend(0, "free")], True, 0, "free", 2),
        # one of them is unknown: so is the sum
        (None, None, [spend(7)], True, None, None, 2),
        (5, "config", [spend(None, None)], True, None, None, 2),
        # nobody answered: what was taken is theirs
        (None, None, [spend(7)], False, 7, "provider", 15),
        (None, None, [spend(7), spend(2, "config")], False, 9, "provider", 30),
        (None, None, [spend(None, None)], False, None, None, 15),
        (None, None, [], False, None, None, 2),
    ],
)
def test_a_request_costs_what_its_attempts_cost(
    cost, source, spent, answered, sum_of, named, tokens
):
    found = record(cost, source)
    add_to_record(found, spent, answered=answered)
    assert (found.cost, found.price_source) == (sum_of, named)
    assert found.usage.total == tokens


@pytest.mark.parametrize(("saved", "left"), [(None, None), (20, 13), (3, 0)])
def test_what_failed_attempts_cost_was_not_saved(saved, left):
    found = record(0, "free", saved)
    add_to_record(found, [spend(7)], answered=True)
    assert found.saved == left


def test_a_bill_without_tokens_is_no_report_of_tokens():
    found = record(None, None)
    add_to_record(found, [FailedSpend(BILL_ONLY, 7, "provider")], answered=False)
    assert (found.cost, found.usage.source) == (7, "estimated")

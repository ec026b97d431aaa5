"""Usage: `tolls`, at the top of an answer and of its last event."""

from llm_gateway.dialects.token_counts import Counts, first_count
from llm_gateway.domain import Usage


def find_usage(value: Counts, holder: Counts) -> Counts | None:
    tolls = value.get("tolls")
    return tolls if isinstance(tolls, dict) else None


def read_usage(tolls: Counts, reasoning_excluded: bool) -> Usage | None:
    heard, said = first_count(tolls.get("heard")), first_count(tolls.get("said"))
    if heard is None or said is None:
        return None
    return Usage(heard, output_tokens=said)

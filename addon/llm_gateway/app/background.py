"""Answers that are made in the background: settled when they are fetched.

What lives here: `Background`, which remembers the rows whose answers were not there yet,
by the id that the provider gave them, and gives one back when its answer is seen. Until
then their usage is `unknown`, and what was reserved for them stays counted.

What this file does not know: prices, flows, how an answer is fetched.
"""

import json
from collections import OrderedDict
from collections.abc import Callable

from llm_gateway.dialects import DialectSpec
from llm_gateway.domain import RequestRecord, Usage
from llm_gateway.frozen import frozen

MAX_WAITING = 4096
"""Rows that are remembered; the oldest is forgotten first."""


@frozen
class Waiting:
    """A row that waits for its answer."""

    record: RequestRecord
    dialect: DialectSpec
    """Its own, in which the answer is fetched, too."""
    account: Callable[[Usage], None]
    """Writes usage and cost onto the record."""


class Background:
    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    def remember(self, body: bytes, waiting: Waiting) -> None:
        """Keep the row of an answer that says it is not there yet."""
        answer = _object(body)
        name = answer.get("id")
        is_pending = waiting.dialect.is_pending
        if is_pending is None or not is_pending(answer) or not isinstance(name, str):
            return
        self._waiting[name] = waiting
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)

    def fetches(self, method: str, path: str) -> str | None:
        """The id of a waiting answer that a request line asks for."""
        if method != "GET" or not self._waiting:
            return None
        parent, _, name = path.partition("?")[0].rstrip("/").rpartition("/")
        waiting = self._waiting.get(name)
        return name if waiting and parent.endswith(waiting.dialect.ends) else None

    def dialect_of(self, name: str) -> DialectSpec | None:
        """The dialect of an answer that is waited for."""
        waiting = self._waiting.get(name)
        return waiting.dialect if waiting else None

    def settle(self, name: str, usage: Usage) -> RequestRecord | None:
        """Its answer was fetched, with this usage: the completed row, once."""
        if usage.source != "reported":
            return None
        waiting = self._waiting.pop(name, None)
        if waiting is None:
            return None
        waiting.account(usage)
        return waiting.record


def _object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

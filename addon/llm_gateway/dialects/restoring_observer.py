"""Observer of a stream whose request had to call tools otherwise: calls get their names back.

It stands before the dialect's own observer, which thus reads calls as the client sees them.
"""

from collections.abc import Mapping

from llm_gateway.adaptation.adapted import AnswerNames
from llm_gateway.dialects.answer_observer import (
    MendedEvent,
    StreamObserver,
    as_bytes,
    parsed,
)


class RestoringObserver:
    """See `StreamObserver`."""

    def __init__(self, names: AnswerNames, inner: StreamObserver | None) -> None:
        self._names = names
        self._inner = inner
        self.mended: set[str] = inner.mended if inner is not None else set()

    text_in = None

    def wants(self, events: bytes) -> bool:
        return b"function_call" in events or (
            self._inner is not None and self._inner.wants(events)
        )

    def read(self, data: bytes, said: bool) -> MendedEvent | None:
        event = parsed(data)
        if event is None:
            return None
        made: Mapping[str, object] = self._names.event(event)
        new = data if made is event else as_bytes(made)
        name = made.get("type")
        renamed = str(name) if name != event.get("type") else ""
        found = None
        if self._inner is not None and self._inner.wants(new):
            found = self._inner.read(new, said)
        if found is not None:
            return found if found.name else found._replace(name=renamed)
        return None if new is data else MendedEvent(new, name=renamed)

    def finish(self) -> None:
        if self._inner is not None:
            self._inner.finish()

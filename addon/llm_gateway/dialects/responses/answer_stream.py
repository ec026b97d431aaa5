"""Server-sent events of a Responses stream: numbered, each with the item that it is about.

Deltas are most of a stream: what is the same in all of one item is written once.
"""

from json.encoder import encode_basestring_ascii as quoted

from llm_gateway.dialects.responses.answer_object import Item, encode


class Events:
    """Server-sent events that are written and not taken yet."""

    def __init__(self) -> None:
        self._ready: list[str] = []
        self._n = 0

    def add(self, kind: str, **members: object) -> None:
        said = {"type": kind, "sequence_number": self._n, **members}
        self._n += 1
        self._ready.append(f"event: {kind}\ndata: {encode(said)}\n\n")

    def delta(self, head: str, text: str, tail: str) -> None:
        """The same for the many small ones: head as `head_of` gives it."""
        self._ready.append(f"{head}{self._n}{tail}{quoted(text)}}}\n\n")
        self._n += 1

    def take(self) -> bytes:
        if not self._ready:
            return b""
        said = "".join(self._ready)
        self._ready.clear()
        return said.encode()


class Place:
    """Where an item stands: its id, its index, and the events that tell of it."""

    def __init__(self, events: Events, id: str, index: int) -> None:
        self.events, self.id, self.index = events, id, index

    def item(self, when: str, item: Item) -> None:
        self.events.add(
            f"response.output_item.{when}", output_index=self.index, item=item
        )

    def add(self, kind: str, **members: object) -> None:
        self.events.add(kind, item_id=self.id, output_index=self.index, **members)

    def growth(self, kind: str, **members: object) -> tuple[str, str]:
        """What stands before and behind the sequence number of a delta."""
        where = {"item_id": self.id, "output_index": self.index, **members}
        inside = encode(where)[1:-1]
        return (
            f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":',
            f',{inside},"delta":',
        )

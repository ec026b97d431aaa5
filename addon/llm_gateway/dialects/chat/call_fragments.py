"""Tool calls in chat streams: fragments -> calls, whatever indexes and ids they come with.

SDKs put fragments together by `index` alone and join ids and names as strings. Providers
number each call 0, leave index or id out, and say id, type and name again. Here index and id
are read together: an empty id or name means the same call, a new id with a name opens one
even at a used index, a new id without a name goes on with the last, a new name without an id
opens one. Each call has an index and an id of its own, and its id, type and name are said once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from llm_gateway.dialects.answer_observer import Json, text_of
from llm_gateway.dialects.chat.reasoning import signature_of


@dataclass(slots=True)
class Call:
    """One call, as far as it has come."""

    position: int
    id: str
    name: str
    signature: str = ""
    pieces: list[str | bytes] = field(default_factory=list)
    """Of its arguments; bytes are escaped as in JSON."""

    @property
    def arguments(self) -> str:
        text = "".join(map(_unescaped, self.pieces))
        self.pieces = [text]
        return text

    @property
    def is_whole(self) -> bool:
        """Its arguments are JSON: what follows under the same name is another call."""
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


def _unescaped(piece: str | bytes) -> str:
    if isinstance(piece, str):
        return piece
    try:
        return str(json.loads(b'"' + piece + b'"'))
    except ValueError:  # a control character: what the client reads is its own affair
        return piece.decode("utf-8", "replace")


class CallFragments:
    """One per choice of a stream. `take` each fragment in turn."""

    def __init__(self, make_id: Callable[[int, str], str]) -> None:
        self.calls: list[Call] = []
        self._make_id = make_id
        """(position, name) -> an id."""
        self.mended: set[str] = set()
        """What did not pass as it came."""
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        """By the ids that the provider gave."""

    def at(self, index: object) -> Call | None:
        """The call that a fragment with nothing but this index goes on with."""
        return self._by_index.get(index) if isinstance(index, int) else None

    def take(self, fragment: Json) -> Json:
        """The fragment as the client gets it: the same object, or a mended one."""
        index, id = fragment.get("index"), text_of(fragment.get("id"))
        if type(index) is not int:
            index = None
        inner = fragment.get("function")
        function = inner if isinstance(inner, dict) else {}
        name, arguments = text_of(function.get("name")), function.get("arguments")
        new = dict(fragment)
        if isinstance(arguments, dict | list):
            arguments = json.dumps(arguments, ensure_ascii=False)
            new["function"] = {**function, "arguments": arguments}
            self.mended.add("arguments")
        call = self._same(index, id, name, text_of(arguments))
        if call is None:
            call = self._open(new, id, name)
        else:
            self._go_on(new, call, name)
        if index is not None:
            self._by_index[index] = call
        if id:
            self._by_id[id] = call
        if index != call.position:
            new = {"index": call.position} | new | {"index": call.position}
            self.mended.add("index")
        if text := text_of(arguments):
            call.pieces.append(text)
        call.signature = call.signature or signature_of(fragment)
        return fragment if new == fragment else new

    def _same(
        self, index: int | None, id: str, name: str, arguments: str
    ) -> Call | None:
        """The call that the fragment goes on with; None: it opens one."""
        known = self._by_id.get(id) if id else None
        if index is None:
            last = self.calls[-1] if self.calls else None
        else:
            last = self._by_index.get(index)
            if last is None:
                # An id that comes again at another index, with a name: one id for two.
                again = known is not None and name and arguments and known.is_whole
                return None if again else known
        if known is not None:
            return known
        if last is None or not name or not last.name:
            return last
        if id or name != last.name:
            return None
        return None if arguments and last.is_whole else last

    def _open(self, new: dict[str, object], id: str, name: str) -> Call:
        position = len(self.calls)
        if not id or id in self._by_id:
            new["id"] = id = self._make_id(position, name)
            self.mended.add("id")
        if "type" in new and not new["type"]:
            new["type"] = "function"
            self.mended.add("type")
        call = Call(position, id, name)
        self.calls.append(call)
        return call

    def _go_on(self, new: dict[str, object], call: Call, name: str) -> None:
        """What was said before is not said again."""
        for member in ("id", "type"):
            if member in new:
                del new[member]
                self.mended.add(member)
        function = new.get("function")
        if not isinstance(function, dict) or "name" not in function:
            return
        if name and not call.name:
            call.name = name
            return
        new["function"] = {k: v for k, v in function.items() if k != "name"}
        self.mended.add("name")

"""Opaque state by call id: thoughts and signatures that a provider wants back and clients drop.

Whenever an answer with calls goes through, its thoughts and signatures are kept in bounded
memory, by who asked, in which conversation, the call's id and a hash of its name and
arguments (providers repeat ids such as `call_1`). Of a signed block that travels through the
client only a hash is kept, with its maker (`SignedBlocks`). Prompts and answers are never
written to disk.

Plain thoughts are given back to whoever wants thoughts; signatures and blocks in a dialect's
own form to their maker alone.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, Protocol

from llm_gateway.adaptation.kept_items import KeptItems
from llm_gateway.adaptation.marked_state import is_marked
from llm_gateway.adaptation.signed_blocks import SignedBlocks


class CallKey(NamedTuple):
    """A call as history shows it."""

    id: str
    name: str
    arguments: str
    """As it stands there; compared as parsed JSON (`fingerprint`)."""


class Kept(NamedTuple):
    """What stood beside a call in the answer that made it."""

    thoughts: str = ""
    """Plain text, whole, under whatever name it came."""
    signature: str = ""
    maker: str = ""
    """Type and address of whoever made it: nobody else is shown it."""
    opaque: object = None
    """A dialect's own form (reasoning details, signed blocks), as parsed JSON."""


class Recall(Protocol):
    """Kept state as one request may see it: its asker's, for one maker."""

    def __call__(self, call: CallKey, n: int = 0) -> Kept | None:
        """What was kept beside the n-th such call of the history; None: nothing."""


def nothing_kept(call: CallKey, n: int = 0) -> Kept | None:
    return None


def issued(recall: Recall, block: str) -> bool | None:
    """Did the maker that `recall` is for issue this signature or encrypted block?

    False: another maker did, or it is marked as ours, which no maker reads. None: nobody was
    seen to issue it.
    """
    if is_marked(block):
        return False
    known = getattr(recall, "issued", None)
    return None if known is None else known(block)


def kept_item(recall: Recall, id: str) -> dict[str, object] | None:
    """The item of a translated answer that has this id; None: we made none for who asks."""
    find = getattr(recall, "item", None)
    return None if find is None else find(id)


def asker_of(known_client: str | None, client: str) -> str:
    """Whose state is whose: a client with a key of its own is not who calls itself so."""
    return f"client {known_client}" if known_client else f"app {client}"


MOST_ENTRIES = 20_000
MOST_BYTES = 64 << 20
"""Of text and JSON; what Python adds comes on top."""
SHARE = 4
"""One asker has a quarter of either at most."""
MOST_ASKERS = 1_000
_ENTRY = 300
"""Bytes that an entry weighs besides its text."""

_RANDOM_END = re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{9,}\Z")
"""Ids that end so are made once; `call_1` and `functions.add:0` come again everywhere."""

_Key = tuple[str, str, bytes, int]
"""(conversation, call id, fingerprint, n)"""


def fingerprint(name: str, arguments: str) -> bytes:
    """Hash of a call's name and its arguments as JSON: spaces, the order of members and
    1.0 for 1 make no difference; text that is no JSON is compared as it stands."""
    try:
        value = json.loads(arguments, parse_float=_number) if arguments.strip() else {}
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        text = arguments.strip()
    said = f"{name}\0{text}".encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).digest()


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def first_time(call: CallKey) -> int:
    """No such call stands in the history."""
    return 0


@dataclass(slots=True)
class _Asker:
    """What is kept for one of them, the oldest first."""

    kept: OrderedDict[_Key, tuple[Kept, int]] = field(default_factory=OrderedDict)
    """With its weight in bytes."""
    newest: dict[tuple[str, bytes], _Key] = field(default_factory=dict)
    """(call id, fingerprint) -> the last entry with it."""
    bytes: int = 0

    def put(self, key: _Key, kept: Kept) -> None:
        self.drop(key)
        size = _weight(kept)
        self.kept[key] = (kept, size)
        self.newest[key[1:3]] = key
        self.bytes += size

    def drop(self, key: _Key) -> None:
        found = self.kept.pop(key, None)
        if found is not None:
            self.bytes -= found[1]
            if self.newest.get(key[1:3]) == key:
                del self.newest[key[1:3]]

    def drop_oldest(self) -> None:
        key, (_, size) = self.kept.popitem(last=False)
        self.bytes -= size
        if self.newest.get(key[1:3]) == key:
            del self.newest[key[1:3]]


class KeptState:
    """What was thought and signed, of everybody who asks; bounded, forgotten at the end."""

    def __init__(
        self,
        entries: int = MOST_ENTRIES,
        size: int = MOST_BYTES,
        signed: SignedBlocks | None = None,
    ) -> None:
        self.signed = SignedBlocks() if signed is None else signed
        self.items = KeptItems()
        self._most = entries
        self._most_bytes = size
        self._askers: OrderedDict[str, _Asker] = OrderedDict()
        """The one that was not heard of longest comes first."""

    def __len__(self) -> int:
        return sum(len(asker.kept) for asker in self._askers.values())

    @property
    def bytes(self) -> int:
        return sum(asker.bytes for asker in self._askers.values())

    def remember(
        self,
        asker: str,
        maker: str,
        calls: Iterable[tuple[CallKey, Kept]],
        *,
        conversation: str = "",
        earlier: Callable[[CallKey], int] = first_time,
    ) -> None:
        """Calls of one answer, with what stood beside each; `maker` becomes theirs.

        earlier: how often such a call stands in the history that was answered; asked
        only of calls that were seen before. An answer that is made again (a retry, a
        failover) thus takes the place of the first.
        """
        mine = self._askers.get(asker)
        if mine is None:
            mine = self._askers[asker] = _Asker()
        self._askers.move_to_end(asker)
        here: dict[tuple[str, bytes], int] = {}
        for call, kept in calls:
            which = call.id, fingerprint(call.name, call.arguments)
            n = here.get(which, 0)
            if which in mine.newest and which not in here:
                n = earlier(call)
            here[which] = n + 1
            if not (kept.thoughts or kept.signature or kept.opaque):
                mine.drop((conversation, *which, n))
                continue
            mine.put((conversation, *which, n), kept._replace(maker=maker))
        self._make_room(mine)

    def recall_for(self, asker: str, maker: str, conversation: str = "") -> "Recall":
        """What a request of `asker` to `maker` may see."""
        return _Recall(self, asker, maker, conversation)

    def find(self, asker: str, conversation: str, call: CallKey, n: int) -> Kept | None:
        mine = self._askers.get(asker)
        if mine is None:
            return None
        print_ = fingerprint(call.name, call.arguments)
        key: _Key | None = (conversation, call.id, print_, n)
        if key not in mine.kept:
            # A talk whose beginning was rewritten is still the one with this id.
            key = mine.newest.get((call.id, print_))
            if n or key is None or not _RANDOM_END.search(call.id):
                return None
        assert key is not None
        found = mine.kept.get(key)
        if found is None:
            return None
        # A large history is looked up on a thread: this one may be gone meanwhile.
        with suppress(KeyError):
            mine.kept.move_to_end(key)
        return found[0]

    def _make_room(self, mine: _Asker) -> None:
        while mine.kept and (
            len(mine.kept) * SHARE > self._most or mine.bytes * SHARE > self._most_bytes
        ):
            mine.drop_oldest()
        while len(self._askers) > MOST_ASKERS:
            self._askers.popitem(last=False)
        entries, size = len(self), self.bytes
        while entries > self._most or size > self._most_bytes:
            largest = max(self._askers.values(), key=lambda each: each.bytes)
            before = largest.bytes
            largest.drop_oldest()
            entries, size = entries - 1, size - (before - largest.bytes)


class _Recall:
    """See `Recall`."""

    __slots__ = ("_asker", "_conversation", "_maker", "_state")

    def __init__(
        self, state: KeptState, asker: str, maker: str, conversation: str
    ) -> None:
        self._state = state
        self._asker = asker
        self._maker = maker
        self._conversation = conversation

    def __call__(self, call: CallKey, n: int = 0) -> Kept | None:
        kept = self._state.find(self._asker, self._conversation, call, n)
        if kept is None or kept.maker == self._maker:
            return kept
        return Kept(kept.thoughts, maker=kept.maker) if kept.thoughts else None

    def item(self, id: str) -> dict[str, object] | None:
        return self._state.items.find(self._asker, id)

    def issued(self, block: str) -> bool | None:
        maker = self._state.signed.maker(block)
        return None if maker is None else maker == self._maker


def _weight(kept: Kept) -> int:
    size = _ENTRY + len(kept.thoughts) + len(kept.signature)
    if kept.opaque is not None:
        try:
            size += len(json.dumps(kept.opaque))
        except (TypeError, ValueError, RecursionError):
            size += MOST_BYTES  # nothing that JSON holds: it is not kept
    return size

"""Signed blocks: who issued a signature or an encrypted block that a client sends back.

Signatures and encrypted reasoning mean something to their maker alone, and travel through
clients unmarked. So a hash of each that passes is kept with its maker, the newest 50,000,
and written to the ledger: a restart must not change the history that is written for the
next provider. The blocks themselves are never kept.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

MOST = 50_000

SHORTEST = 16
"""Characters of a block; what is shorter says nothing of where it is from."""


def block_hash(block: str) -> str:
    """What is kept of a signature or an encrypted block: 32 hexadecimal digits."""
    said = block.encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).hexdigest()


class SignedBlocks:
    """Hash of a block -> who made it, the newest `most`."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._makers: OrderedDict[str, str] = OrderedDict()
        self._new: OrderedDict[str, str] = OrderedDict()
        """Not written down yet."""

    def __len__(self) -> int:
        return len(self._makers)

    def load(self, known: Iterable[tuple[str, str]]) -> None:
        """(hash, maker) of an earlier run, the oldest first."""
        for digest, maker in known:
            self._put(digest, maker)

    def remember(self, block: str, maker: str) -> None:
        """A block that `maker` has just issued."""
        if len(block) < SHORTEST:
            return
        digest = block_hash(block)
        if self._makers.get(digest) == maker:
            return
        self._put(digest, maker)
        self._new[digest] = maker
        if len(self._new) > self._most:
            self._new.popitem(last=False)

    def take_new(self) -> tuple[tuple[str, str], ...]:
        """(hash, maker) of those that came since this was last asked, to write down."""
        new = tuple(self._new.items())
        self._new.clear()
        return new

    def maker(self, block: str) -> str | None:
        """None: nobody was seen to issue it."""
        return self._makers.get(block_hash(block)) if self._makers else None

    def _put(self, digest: str, maker: str) -> None:
        self._makers[digest] = maker
        self._makers.move_to_end(digest)
        while len(self._makers) > self._most:
            self._makers.popitem(last=False)

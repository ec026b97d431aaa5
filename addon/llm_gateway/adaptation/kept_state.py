"""Opaque state by call id: thoughts and signatures that a provider wants back and clients drop.

Whenever an answer with calls goes through, its thoughts and signatures are kept in bounded
memory, by who asked, the call's id and a hash of its name and arguments (providers repeat
ids such as `call_1`). Prompts and answers are never written to disk.
"""

from typing import NamedTuple, Protocol


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

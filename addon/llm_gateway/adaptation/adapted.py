"""Adapted request: what an adapter makes of a client's body for one provider's quirks.

An adapter is a pure function of its dialect's folder: top-level values of the body, quirks,
kept state -> `Adapted`. It never changes what it is given, runs only where there are quirks
or kept state for this request, and gives the same for the same history, always: providers
bind caches and signatures to the bytes of earlier turns.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks


class Change(NamedTuple):
    """One thing that is not as the client wrote it."""

    part: str
    """Under the name of the vocabulary (`Quirk.part`): never content."""
    how: str = ""
    """What stands there instead; "": it was dropped."""


class Adapted(NamedTuple):
    """Edits of the top level; the rest of the body stays byte for byte."""

    replaced: Mapping[str, object] = {}
    """Member -> its new value. A member that was not there is added; one that is renamed
    as well stands here under the client's name."""
    dropped: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = {}
    changes: tuple[Change, ...] = ()
    unfit: str = ""
    """Why this provider cannot take the request at all, for the decision and the error:
    'takes no tools beside an effort here'. "": it can."""

    @property
    def parts(self) -> tuple[str, ...]:
        """For `x-gateway-adapted`: each once, in order."""
        return tuple(dict.fromkeys(change.part for change in self.changes))


UNCHANGED = Adapted()

Adapter = Callable[[Mapping[str, object], Quirks, Recall], Adapted]
"""(top-level values, quirks, kept state of this asker and provider) -> edits."""

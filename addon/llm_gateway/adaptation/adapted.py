"""Adapted request: what an adapter makes of a client's body for one provider's quirks.

An adapter is a pure function of its dialect's folder: top-level values of the body, quirks,
kept state -> `Adapted`. It never changes what it is given, runs only where there are quirks
or kept state for this request, and gives the same for the same history, always: providers
bind caches and signatures to the bytes of earlier turns.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from llm_gateway.adaptation.kept_state import Recall
from llm_gateway.adaptation.vocabulary import Quirks


class Change(NamedTuple):
    """One thing that is not as the client wrote it."""

    part: str
    """A member's name, or a word for several (`ids`, `roles`, `tools`); never content."""
    how: str = ""
    """What stands there instead; "": it was dropped."""


class ListHeader(NamedTuple):
    """Edit of a request header that is a comma-separated list, as `anthropic-beta` is.

    A beta and its member of the body travel together or not at all: whoever changes one of
    them in the body says so here, too.
    """

    name: str
    """In lower case."""
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    """Names; `*` at the end stands for the rest (`context-management-*`)."""
    only: tuple[str, ...] | None = None
    """What may stay of the client's list, likewise; None: all of it."""

    def of(self, value: str) -> str:
        """The header's new value; "": it is not sent."""
        given = [name.strip() for name in value.split(",")]
        kept = [name for name in given if name and self.keeps(name)]
        return ",".join(dict.fromkeys([*kept, *self.add]))

    def keeps(self, name: str) -> bool:
        stays = self.only is None or _is_one(name, self.only) or name in self.add
        return stays and not _is_one(name, self.drop)


def _is_one(name: str, patterns: Iterable[str]) -> bool:
    return any(
        name.startswith(p[:-1]) if p.endswith("*") else name == p for p in patterns
    )


class AnswerNames(Protocol):
    """Puts back, in one answer, what the request had to call otherwise: a custom tool that
    went as a function, a namespace that went as part of a name.

    One for each answer, since it remembers what its stream has begun. Both methods return
    the very object that they got where nothing is to be changed: its bytes can pass.
    """

    def event(self, event: Mapping[str, object]) -> Mapping[str, object]:
        """An event of a stream, as the client has to see it."""

    def answer(self, answer: Mapping[str, object]) -> Mapping[str, object]:
        """A plain answer, likewise."""


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

    headers: tuple[ListHeader, ...] = ()
    """Edits of list headers. One whose value differs afterwards is a part, too, under its
    own name: whoever writes the headers adds it."""
    restore: Callable[[], AnswerNames] | None = None
    """Makes what writes this request's answer back; None: it passes as it comes."""

    @property
    def parts(self) -> tuple[str, ...]:
        """For `x-gateway-adapted`: each once, in order."""
        return tuple(dict.fromkeys(change.part for change in self.changes))


UNCHANGED = Adapted()

Adapter = Callable[[Mapping[str, object], Quirks, Recall], Adapted]
"""(top-level values, quirks, kept state of this asker and provider) -> edits."""

"""Call ids that a provider takes: a deterministic function of the id, for calls and results.

    call_9pKwz2LmTq7RfYc1BnVd4sXa  ->  Zk3t0Qa9x        id:call=[a-zA-Z0-9]{9}

An id that fits already stays, unless an earlier call has it: clients cut ids until two are
the same. What stands there in place of another depends on the history up to it alone, so it
is the same in each later turn. Two ids never become one, and a result goes with its call.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple

from llm_gateway.dialects.chat.turns import Messages, Notes, calls_of, note, role_of

_FORM = re.compile(
    r"\^?(?P<prefix>[\w-]{0,12})(?P<chars>\[(?:[\w-]-[\w-]|[\w-])+\]|\.)"
    r"(?:\{(?P<least>\d{1,3})(?P<comma>,(?P<most>\d{0,3}))?\}|(?P<many>[+*]))\$?"
)
_LENGTH = 24
"""Of an id whose length is free, without its prefix."""
_TRIES = 64


class Form(NamedTuple):
    """What ids have to look like."""

    fits: Callable[[str], object]
    prefix: str
    letters: str
    length: int


@cache
def read_form(pattern: str) -> Form | None:
    """None: a pattern that no ids can be made for."""
    found = _FORM.fullmatch(pattern)
    if found is None:
        return None
    prefix = found["prefix"]
    least = int(found["least"] or 1)
    most = least if found["least"] and not found["comma"] else int(found["most"] or 64)
    try:
        fits = re.compile(pattern, re.ASCII)
        letters = "".join(
            c for c in map(chr, range(48, 123)) if c.isalnum() and _takes(found, c)
        )
    except re.error:
        return None
    length = max(least, min(most, _LENGTH - len(prefix)))
    if not letters or length < 1 or most < least:
        return None
    return Form(fits.fullmatch, prefix, letters, length)


def _takes(found: re.Match[str], letter: str) -> bool:
    return re.fullmatch(found["chars"], letter, re.ASCII) is not None


@lru_cache(maxsize=8192)
def made(form: Form, text: str) -> str:
    """The id that stands for a text. A history asks for the same ones each turn."""
    size = len(form.letters)
    need = size**form.length
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=64).digest()
    number = int.from_bytes(digest) % need
    letters = []
    for _ in range(form.length):
        number, at = divmod(number, size)
        letters.append(form.letters[at])
    return form.prefix + "".join(letters)


def fit_ids(messages: Messages, pattern: str, notes: Notes) -> Messages:
    """The same messages with ids that match, the same list if all of them do."""
    form = read_form(pattern)
    if form is None:
        return messages
    ids = _Ids(form)
    changed = False
    out = []
    for at, message in enumerate(messages):
        if calls_of(message):
            ids.open_turn(at)
            calls = list(ids.of_calls(message["tool_calls"]))
            if calls != message["tool_calls"]:
                changed, message = True, {**message, "tool_calls": calls}
        elif role_of(message) == "tool":
            old = message.get("tool_call_id")
            if (new := ids.of_result(old)) != old:
                changed, message = True, {**message, "tool_call_id": new}
        out.append(message)
    if not changed:
        return messages
    note(notes, "ids", "by a function of the id")
    return out


class _Ids:
    """Old ids and new ones, as the history goes on."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._taken: set[str] = set()
        self._open: list[tuple[object, str]] = []
        """Calls of the last turn that no result has come for, in order."""
        self._turn = 0

    def open_turn(self, turn: int) -> None:
        self._open = []
        self._turn = turn

    def of_calls(self, calls: list[object]) -> Iterator[object]:
        for n, call in enumerate(calls):
            if not isinstance(call, dict):
                yield call
                continue
            old = call.get("id")
            new = self._new(old, f"{self._turn}.{n}")
            self._taken.add(new)
            self._open.append((old, new))
            yield {**call, "id": new} if new != old else call

    def of_result(self, old: object) -> object:
        """Results whose id says nothing belong to the calls in order."""
        for n, (id, new) in enumerate(self._open):
            if id == old or (not old and not id):
                del self._open[n]
                return new
        if not isinstance(old, str) or not old or self._form.fits(old):
            return old
        return made(self._form, old)

    def _new(self, old: object, place: str) -> str:
        named = isinstance(old, str) and old
        if named and self._form.fits(str(old)) and old not in self._taken:
            return str(old)
        seed = str(old) if named else f"\0{place}"
        for n in range(_TRIES):
            new = made(self._form, seed if n == 0 else f"{seed}\0{n}")
            if new not in self._taken:
                return new
        return str(old) if named else ""

"""Shape of a stream's events: all but one string is the same from event to event.

A stream of text repeats one envelope some hundred times. An event that has the shape of one
that needed nothing needs nothing either, which two comparisons show; only its string is new.
"""

import re
from typing import NamedTuple

_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"').match
_EMPTY = rb'(?:"[a-z_]+"\s*:\s*(?:null|""|\[\])\s*,\s*)*'
_DELTA = rb'"delta"\s*:\s*\{\s*' + _EMPTY
_UNTIL = re.compile(
    rb'[^"]*(?:"[^"]*"[^"]*)*?"finish_reason"\s*:\s*null[^\[\]"{]*\]'
).match

TEXT = re.compile(_DELTA + rb'"content"\s*:\s*"').search
THOUGHTS = re.compile(_DELTA + rb'"reasoning\w*"\s*:\s*"').search
ARGUMENTS = re.compile(
    _DELTA + rb'"tool_calls"\s*:\s*\[\s*\{\s*"index"\s*:\s*\d+\s*,\s*'
    rb'"function"\s*:\s*\{\s*"arguments"\s*:\s*"'
).search
"""Where the string begins, in an event that says nothing else."""


class EventShape(NamedTuple):
    """What stands before and behind the string, the choices whole."""

    before: bytes
    behind: bytes

    def string_in(self, events: bytes) -> bytes | None:
        """The string, escaped as in JSON; None: it is another event, or several."""
        before, behind = self
        if not events.startswith(before):
            return None
        start = len(before)
        found = _STRING(events, start)
        if found is None:
            return None
        end = found.end()
        if not events.startswith(behind, end):
            return None
        if events.find(b"\n\n", end) != len(events) - 2:
            return None
        return events[start : end - 1]


def shape_of(event: bytes, begins: "re.Match[bytes] | None") -> EventShape | None:
    """The shape of one raw event whose string begins behind a match of TEXT, THOUGHTS or
    ARGUMENTS; None: it says more than that."""
    if begins is None or not event.endswith(b"\n\n"):
        return None
    found = _STRING(event, begins.end())
    if found is None:
        return None
    behind = _UNTIL(event, found.end())
    if behind is None:
        return None
    return EventShape(event[: begins.end()], behind.group())

"""Regular expressions over raw events of a stream: text members, without decoding JSON."""

import re
from re import Pattern

_START = r'"(?:%s)"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)'


def strings(*names: str) -> Pattern[bytes]:
    """Members of these names that are strings; the group is the text as it is escaped."""
    return _ending(names, '"')


def open_strings(*names: str) -> Pattern[bytes]:
    """The same, for a text that goes on behind what is there."""
    return _ending(names, r"\\?\Z")


def _ending(names: tuple[str, ...], end: str) -> Pattern[bytes]:
    return re.compile((_START % "|".join(names) + end).encode(), re.S)

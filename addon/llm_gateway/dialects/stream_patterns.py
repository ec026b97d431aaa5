"""Regular expressions over raw events of a stream: text members, without decoding JSON."""

import re
from re import Pattern


def strings(*names: str) -> Pattern[bytes]:
    """Members of these names that are strings; the group is the text as it is escaped."""
    text = rb'"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
    return re.compile(rb'"(?:' + "|".join(names).encode() + rb")" + text, re.S)

"""Shape of the events of a stream that say text alone: one string differs, all else repeats.

Of a text in some hundred events the first one is parsed; what has its shape says text, too,
which a few comparisons show. The string goes on as it is escaped: it need not be read.
"""

import json
import re
from typing import NamedTuple

_MEMBER = re.compile(rb'"(?:content|text|delta)"\s*:\s*"\Z')
"""What stands before a text."""


class TextShape(NamedTuple):
    """Bytes of one event before and behind its text."""

    before: bytes
    behind: bytes

    def is_around(self, chunk: bytes) -> bool:
        """The chunk has this shape, whatever its text."""
        return chunk.startswith(self.before) and chunk.endswith(self.behind)

    def text_in(self, chunk: bytes) -> bytes | None:
        """The text of a chunk that is one such event: UTF-8 without anything that JSON would
        escape. None: it is another chunk, or its text has to be read."""
        if not self.is_around(chunk):
            return None
        before, behind = self
        text = chunk[len(before) : len(chunk) - len(behind)]
        if b'"' in text or b"\\" in text or len(chunk) <= len(before) + len(behind):
            return None
        try:
            return text if text.decode().isprintable() else None
        except UnicodeDecodeError:
            return None


def text_shape(chunk: bytes, text: str) -> TextShape | None:
    """Of a chunk that is one event and says this text, and nothing else."""
    try:
        said = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    except UnicodeEncodeError:
        return None
    at = chunk.find(b'"' + said + b'"')
    while at >= 0:
        begin, end = at + 1, at + 1 + len(said)
        if _MEMBER.search(chunk, max(0, begin - 40), begin):
            if chunk.find(b"\n\n") != len(chunk) - 2:
                return None
            return TextShape(chunk[:begin], chunk[end:])
        at = chunk.find(b'"' + said + b'"', at + 1)
    return None

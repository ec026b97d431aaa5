"""Replacing a function of mitmproxy, only where it is the one that we know.

A replacement does what the original does, in less time. Whether that is so was checked
for certain texts of the original; `replace` compares the text that is installed here with
those and leaves everything as it is when it is another: a mitmproxy that nobody has looked
at yet is then as fast as it always was, and as right.
"""

import hashlib
import inspect
import logging
from collections.abc import Iterable
from typing import Any

logger = logging.getLogger(__name__)


def digest(*functions: Any) -> str:
    """Eight hexadecimal digits for the source text of these functions; "" without one."""
    try:
        text = "\n".join(inspect.getsource(f) for f in functions)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def replace(
    owner: Any,
    name: str,
    new: Any,
    known: Iterable[str],
    *,
    relies_on: tuple[Any, ...] = (),
) -> bool:
    """Set `owner.name` to `new` if the text of the original is known. True: replaced.

    `relies_on`: the functions whose text counts, when it is not that of the original alone.
    """
    original = getattr(owner, name, None)
    if original is new:
        return True
    if digest(*(relies_on or (original,))) not in known:
        logger.debug("%s.%s is unknown here, left as it is.", owner.__name__, name)
        return False
    setattr(owner, name, new)
    return True

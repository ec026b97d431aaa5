"""Is the installed h2, the HTTP/2 library, new enough to be spoken to by strangers?

Before 4.3 it lets CR, LF and NUL in pseudo-headers and values through, of which an HTTP/1
serializer makes a second request (CVE-2025-57804). The gateway checks all of that itself
(`transport.request_grammar`); where the library is older it does without HTTP/2 all the same. Old ones
come with old versions of mitmproxy, whatever the Python.
"""

import re
from importlib.metadata import PackageNotFoundError, version

SAFE = (4, 3)
TOO_OLD = (
    "h2 {} is older than 4.3: HTTP/2 is switched off (http2=false), HTTP/1.1 is spoken "
    "instead; a newer mitmproxy brings a newer h2"
)


def too_old() -> str | None:
    """The installed version if it is older than 4.3; None: it is fine, or not there."""
    try:
        found = version("h2")
    except PackageNotFoundError:
        return None
    return None if numbers(found) >= SAFE else found


def numbers(text: str) -> tuple[int, ...]:
    """`4.3.0` -> (4, 3): the first two, as far as they are numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])

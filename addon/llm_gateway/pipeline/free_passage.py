"""What of an intercepted host may be billed for, and what is free to pass.

What lives here: `billable`, asked of requests that are not routed where
`intercept.passthrough` is `free` (the default under the policy `free-only`). Reading,
deleting, files of one's own, counting tokens and telemetry pass; what is not known to
be free does not.

What this file does not know: who asks, and what is answered.
"""

import re

_READS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_FREE_WRITES = re.compile(
    r"""
    /(?:files|uploads)(?:/[^?]*)?$           # files of one's own
    | /conversations(?:/[^?]*)?$
    | /upload/[^?]*/files$                   # Gemini's way to send one
    | [/:](?:count_?tokens|input_tokens|tokenize)$
    | /cancel$
    | /(?:event_logging|events?|telemetry|metrics|logs?|log_event|traces|statsig|rgstr)
      (?:/[^?]*)?$
    | /(?:oauth2?|auth|login|token)(?:/[^?]*)?$
    | /(?:feedback|policy_limits|settings|bootstrap)(?:/[^?]*)?$
    """,
    re.VERBOSE | re.IGNORECASE,
).search


def billable(method: str, path: str, upgrade: str) -> str:
    """What a request may be billed for, as people call it; "" when nothing is."""
    bare = path.partition("?")[0].rstrip("/")
    if upgrade:
        return "WebSocket" if "websocket" in upgrade.lower() else "a protocol switch"
    if "/realtime" in bare:
        return "realtime"
    if method.upper() in _READS or _FREE_WRITES(bare):
        return ""
    return f"{method[:10]} {bare[:80]}"

"""What of an intercepted host may be billed for, and what is free to pass.

What lives here: `billable`, asked of requests that are not routed where
`intercept.passthrough` is `free` (the default under the policy `free-only`). Reading and
deleting pass, and writes to paths of the table: files of one's own, counting tokens,
cancelling, telemetry, signing in. What is not known to be free does not: each row is a whole
path, and a path that a server may read otherwise is none of them.

What this file does not know: who asks, and what is answered.
"""

import re
from collections.abc import Mapping

from llm_gateway.dialects.plain_paths import decoded, escapes_upwards, oddity

_READS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_BASE = r"(?:/(?:api|openai|anthropic))?(?:/(?:v1|v1beta|v1alpha|v2|openai))*"
"""Before an API's own paths: `/v1`, `/openai/v1`, `/v1beta`."""
_ID = r"[^/]+"
_FREE_WRITES = (
    # files of one's own, and how they are sent
    rf"{_BASE}/files(?:/{_ID}(?:/content)?)?",
    rf"{_BASE}/uploads(?:/{_ID}(?:/(?:parts|complete|cancel))?)?",
    r"(?:/resumable)?/upload/v1(?:beta|alpha)?/files",
    rf"{_BASE}/conversations(?:/{_ID}(?:/items)?)?",
    # counting tokens
    rf"{_BASE}/messages/count_tokens",
    rf"{_BASE}/responses/input_tokens",
    rf"{_BASE}/(?:tokenize|tokenize-text)",
    rf"(?:{_BASE}|/v1(?:beta1?)?/projects/{_ID}/locations/{_ID}/publishers/{_ID})"
    r"/(?:models|tunedModels)/[^/:]+:(?:countTokens|computeTokens|count-tokens)",
    r"/v1internal:countTokens",
    # ending what was begun
    rf"{_BASE}/(?:responses|batches|messages/batches|fine_tuning/jobs)/{_ID}/cancel",
    rf"{_BASE}/threads/{_ID}/runs/{_ID}/cancel",
    rf"{_BASE}/vector_stores/{_ID}/file_batches/{_ID}/cancel",
    rf"{_BASE}/(?:batches|operations)/[^/:]+:cancel",
    # telemetry
    r"(?:/api)?/event_logging(?:/v2)?(?:/batch)?",
    r"(?:/(?:api|otlp|ces|public|backend-api|backend-api/codex))?(?:/v[12])?"
    r"/(?:events?|telemetry|metrics|logs?|log_event|traces|statsig|rgstr|sdk_exception"
    r"|analytics-events/events|statsc)(?:/(?:batch|bulk|ingest|flush))?",
    r"/api/claude_code/(?:metrics|events|logs|settings|policy_limits|bootstrap)",
    r"/api/claude_cli/bootstrap",
    r"/api/claude_cli_feedback",
    r"(?:/api)?(?:/v1)?/(?:feedback|policy_limits|settings|bootstrap)",
    # signing in
    r"(?:/(?:api|api/accounts|backend-api|site))?(?:/v[12])?/(?:oauth2?|auth|login|deviceauth)"
    r"(?:/(?:v\d|oauth|device|device_code|deviceauth))*"
    r"(?:/(?:token|access_token|authorize|revoke|introspect|refresh|logout|login|code"
    r"|usercode|device|device_code|session|userinfo|register|claude_cli))?",
    r"(?:/v1)?/token",
)
_is_free_write = re.compile("|".join(_FREE_WRITES), re.IGNORECASE).fullmatch
_OVERRIDES = (
    *("x-http-method-override", "x-http-method", "x-method-override"),
    *("x-original-url", "x-rewrite-url", "x-original-uri"),
)
"""Headers by which some servers do something else than the request line says."""
_method_in_query = re.compile(
    r"[?&](?:_method|\$httpmethod|%24httpmethod)=", re.I
).search
_slashes = re.compile("/{2,}")


def billable(
    method: str, path: str, upgrade: str, headers: Mapping[str, str] | None = None
) -> str:
    """What a request may be billed for, as people call it; "" when nothing is."""
    bare = path.partition("?")[0]
    if upgrade:
        return "WebSocket" if "websocket" in upgrade.lower() else "a protocol switch"
    for name in _OVERRIDES if headers is not None else ():
        if headers is not None and name in headers:
            return f"{name} may make another request of it"
    if _method_in_query(path):
        return "its query may make another request of it"
    if "/realtime" in decoded(bare).lower():
        return "realtime"
    reads = method.upper() in _READS
    if odd := escapes_upwards(bare) if reads else oddity(bare):
        return f"a path with {odd}, which servers read differently: write it plainly"
    if reads or _is_free_write(_slashes.sub("/", decoded(bare)).rstrip("/")):
        return ""
    return f"{method[:10]} {bare[:80]}"

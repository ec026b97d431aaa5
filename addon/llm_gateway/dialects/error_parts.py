"""Parts of an error body: every object in which a provider says something, and its words.

The tables of names that hold words and inner errors, whatever server wrote them. `parts_of`
gives the objects, the outermost first; `texts_of` the words of one of them, with the place
in the request that they are about in front: `body.messages.2.name: Extra inputs …`. Only
members that hold words are read: a body may repeat the request, and a prompt is no
provider's word. Bounded, pure, never raises.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice

Part = Mapping[str, object]

WORDS = (
    *("message", "Message", "msg", "status_msg", "error_msg", "errmsg", "errorMessage"),
    *("error_message", "faultstring", "error_description", "detail", "Detail", "title"),
    "raw",
)
"""Members that hold words, the better ones first."""
HOLDERS = ("error", "Error", "fault")
"""Members that hold the error itself, as an object or a text."""
LISTS = ("errors", "detail", "details", "issues")
"""Members that hold several, as a list or under the names of what they are about."""
_PLACES = ("loc", "path")
"""Members of one of several that say what it is about, as a list."""
VAGUE = re.compile(
    r"\s*(?:(?:provider|upstream) returned (?:an )?error|error|bad request"
    r"|unprocessable (?:entity|content)|invalid request)\W*",
    re.IGNORECASE,
)
"""Words that say nothing: those that stand further inside count."""
_DETAIL = ("message", "detail", "Message")
"""Words that may come as a structure: shown as JSON."""
MOST = 16
"""Parts of one list that are read."""
MOST_PARTS = 64
_DEPTH = 4
TEXT_LENGTH = 4096
MESSAGE_LENGTH = 500
RESETS = frozenset(
    {
        "retryDelay",
        "retry_after",
        "retryAfter",
        "retry_after_seconds",
        "retry_after_ms",
        "resets_at",
        "reset_at",
        "resetsAt",
        "resetAt",
        "reset_time",
        "resetTime",
        "resets_in",
        "reset_in",
        "resets_in_seconds",
        "reset_in_seconds",
        "resets_after_seconds",
        "reset_after_seconds",
        "quotaResetDelay",
        "quotaResetTimeStamp",
    }
)
"""Names of members that hold a moment or a length of time."""


def parts_of(value: object) -> Iterator[Part]:
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return
    response = value.get("response")
    if isinstance(response, dict) and response.get("error"):
        value = response
    yield value
    if isinstance(base := value.get("base_resp"), dict):  # MiniMax
        yield {"code": base.get("status_code"), "message": base.get("status_msg")}
    yield from islice(_inside(value, _DEPTH), MOST_PARTS)


def _inside(part: Part, depth: int) -> Iterator[Part]:
    """What an object holds: the error itself, or several."""
    if not depth:
        return
    for key in (*HOLDERS, *LISTS):
        for one in held(key, part.get(key)):
            yield one
            yield from _inside(one, depth - 1)
            if isinstance(metadata := one.get("metadata"), dict):
                yield metadata if key != "details" else _times_of(metadata)


def held(key: str, value: object) -> Iterator[Part]:
    """The objects that a member of this name holds."""
    several = value[:MOST] if isinstance(value, list) else [value]
    for one in several:
        if isinstance(one, dict) and (
            key != "errors" or not one.keys().isdisjoint(WORDS)
        ):
            yield one
        elif isinstance(one, dict):
            yield from _by_place(one)
        elif isinstance(one, str) and one and (key in HOLDERS or key == "errors"):
            yield {"message": one}


def _by_place(errors: Part) -> Iterator[Part]:
    """As some servers name what is wrong: {"messages[2].name": ["is not known"]}."""
    for place, said in islice(errors.items(), MOST):
        for words in said[:MOST] if isinstance(said, list) else [said]:
            if isinstance(words, str):
                yield {"loc": [place], "message": words}


def _times_of(metadata: Part) -> Part:
    """Google's has names of services and projects, too, which are no words of an error."""
    return {k: v for k, v in metadata.items() if k in RESETS}


def texts_of(part: Part) -> Iterator[str]:
    """Words, each as a text of its own."""
    for key in WORDS:
        said = part.get(key)
        if isinstance(said, str) and said:
            place = place_of(part)
            yield (f"{place}: {said}" if place else said)[:TEXT_LENGTH]
        elif said and key in _DETAIL and not _is_of_parts(key, said):
            yield as_text(said, MESSAGE_LENGTH)


def place_of(part: Part) -> str:
    """What of the request it is about, with dots between names; "": it does not say."""
    where = next((p for name in _PLACES if isinstance(p := part.get(name), list)), ())
    return ".".join(map(str, where))


def _is_of_parts(key: str, said: object) -> bool:
    """A list of errors, whose parts are read one by one."""
    return key in LISTS and isinstance(said, list) and isinstance(said[0], dict)


def as_text(value: object, length: int) -> str:
    """Printable and bounded; structures as JSON. "" for what says nothing."""
    if value is None or isinstance(value, bool):
        return ""
    if not isinstance(value, str | int | float):
        try:
            value = json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            return ""
    try:
        text = str(value)[:length]
    except ValueError:  # an integer of thousands of digits
        return ""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)

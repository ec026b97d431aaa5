"""generateContent answers: has an event content, where a stream ends, is it an answer.

A prompt that was blocked has been answered, as has a candidate that a filter or a bound ended
without a word (`SAFETY`, `MAX_TOKENS`). No candidates and no reason for it is no answer. What
ended without a word for any other reason (`MALFORMED_FUNCTION_CALL`, `OTHER`, and `STOP`, for
which Google's own apps ask again) broke off: somebody else may have an answer.
"""

import re
from collections.abc import Iterator

from llm_gateway.dialects.generate_content.members import (
    Json,
    member,
    object_in,
    objects_in,
    text_in,
)
from llm_gateway.dialects.spec import StreamEnd

FILTERED = frozenset(
    {
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("LANGUAGE", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "MODEL_ARMOR"),
        "IMAGE_RECITATION",
    }
)
"""Ends that a filter made: an answer, if an empty one."""
UNSAID = "FINISH_REASON_UNSPECIFIED"
"""How protocol buffers say nothing."""
_ANSWERED = FILTERED | {"MAX_TOKENS"}

_SILENT_PART = frozenset({"thought", "thoughtSignature", "thought_signature"})
_SILENT = frozenset(
    {"content", "index", "safetyRatings", "tokenCount", "avgLogprobs", "finishMessage"}
)
"""Members of a candidate that say nothing by themselves."""
_reason = re.compile(
    rb'"(?:finishReason|finish_reason|blockReason|block_reason)"\s*:\s*"'
)


def _candidates(event: Json) -> Iterator[dict[str, object]]:
    yield from objects_in(event, "candidates")


def is_blocked(event: Json) -> bool:
    """The prompt was refused: there will be no candidate."""
    return bool(text_in(object_in(event, "promptFeedback"), "blockReason"))


def is_last(event: Json) -> bool:
    return is_blocked(event) or any(
        text_in(one, "finishReason") for one in _candidates(event)
    )


STREAM_END = StreamEnd(_reason.search, is_last, reason=_reason)


def has_content(event: Json) -> bool:
    if is_blocked(event):
        return True
    for one in _candidates(event):
        if any(v for k, v in one.items() if k not in _SILENT):
            return True
        for part in objects_in(one.get("content"), "parts"):
            # A call without arguments and an empty result are objects, and say something.
            if any(v or v == {} for k, v in part.items() if k not in _SILENT_PART):
                return True
    return False


def broke_off(event: Json) -> bool:
    """It ended without a word or a call; thoughts alone are none."""
    if is_blocked(event):
        return False
    ended = False
    for one in _candidates(event):
        reason = text_in(one, "finishReason")
        ended = ended or reason not in ("", UNSAID)
        if reason in _ANSWERED or any(
            map(_says, objects_in(one.get("content"), "parts"))
        ):
            return False
    return ended


def _says(part: Json) -> bool:
    if member(part, "thought") is True:
        return False
    return any(v or v == {} for k, v in part.items() if k not in _SILENT_PART)


def holds_answer(answer: Json) -> bool:
    return is_last(answer) or any(
        objects_in(one.get("content"), "parts") for one in _candidates(answer)
    )

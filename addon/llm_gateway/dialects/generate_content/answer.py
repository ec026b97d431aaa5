"""generateContent answers: has an event content, where a stream ends, is it an answer.

A prompt that was blocked has been answered, as has a candidate that ended without a word
(`SAFETY`, `MALFORMED_FUNCTION_CALL`). No candidates and no reason for it is no answer.
"""

import re
from collections.abc import Iterator

from llm_gateway.dialects.generate_content.members import (
    Json,
    object_in,
    objects_in,
    text_in,
)
from llm_gateway.dialects.spec import StreamEnd

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


def holds_answer(answer: Json) -> bool:
    return is_last(answer) or any(
        objects_in(one.get("content"), "parts") for one in _candidates(answer)
    )

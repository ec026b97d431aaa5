"""Response object and output items of OpenAI Responses, as its answers and events hold them.

Clients in typed languages read an answer only where every member that is documented as given
is there, so that objects are written whole; what the request says of itself is echoed.
"""

import json
from collections.abc import Mapping
from typing import Any

from llm_gateway.dialects.answer_observer import objects
from llm_gateway.domain import Usage
from llm_gateway.translation.answer_events import Ended, Failed
from llm_gateway.translation.codec import AnswerContext

Json = Mapping[str, object]
Item = dict[str, Any]

encode = json.JSONEncoder(separators=(",", ":")).encode

_REPEATED: Mapping[str, object] = {
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_p": 1.0,
    "truncation": "disabled",
}
"""Members of a request that an answer repeats -> what stands there where it has none."""

INCOMPLETE = {
    "length": "max_output_tokens",
    "filtered": "content_filter",
}
"""How an answer ended -> why it is incomplete; the others are complete."""


def repeated(body: Json) -> dict[str, object]:
    """What an answer repeats of this request. Neither tools nor instructions: they are long,
    and whoever asked has them."""
    found = {name: body[name] for name in _REPEATED if body.get(name) is not None}
    try:
        encode(found)
    except (ValueError, RecursionError):  # too deep to be written below something else
        return {}
    return found


class ResponseObject:
    """One answer's, at any point of its life."""

    def __init__(self, context: AnswerContext, id: str) -> None:
        self.id = id
        self._created = context.created
        self._model = context.model
        self._repeated = {
            name: context.echo.get(name, value) for name, value in _REPEATED.items()
        }

    def at(
        self,
        status: str,
        output: list[Item],
        *,
        usage: Usage | None = None,
        end: Ended | None = None,
        failed: Failed | None = None,
    ) -> dict[str, object]:
        """The whole object in this state."""
        error = failed and {"code": failed.kind, "message": failed.message}
        reason = INCOMPLETE.get(end.reason) if end else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": reason and {"reason": reason},
            "instructions": None,
            "model": self._model,
            "output": output,
            "previous_response_id": None,
            "store": False,
            "tools": [],
            "usage": None if usage is None else usage_object(usage),
            **self._repeated,
        }


def usage_object(usage: Usage) -> dict[str, object]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total,
    }


def said_in(output: list[Item]) -> int:
    """Characters that a model has written, for answers that nobody has counted."""
    return sum(
        len(text)
        for item in output
        for part in (item, *objects(item.get("content")), *objects(item.get("summary")))
        for name in ("text", "refusal", "arguments", "input")
        if isinstance(text := part.get(name), str)
    )


def text_part(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> Item:
    return {"type": "refusal", "refusal": text}


def summary_part(text: str) -> Item:
    return {"type": "summary_text", "text": text}

"""Chat requests that a provider cannot take at all, whatever is written: why, in words.

endpoint:any=responses                  not served here
endpoint:tools_with_effort=responses    … with tools beside an effort
endpoint:tools_unless_none=responses    … with tools, unless the effort is none
endpoint:tools                          … with tools
endpoint:tools_with_json                … with tools beside JSON mode
role:last=user                          ending with a turn of the assistant
state:tools                             … with tools: it wrote a call as text
content:images                          with images
member:stop, limit:stop<=4              with stop sequences, with so many
limit:tools<=128                        with more tools
"""

from collections.abc import Iterator, Mapping

from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.dialects.chat.settings import effort_in
from llm_gateway.dialects.chat.turns import role_of
from llm_gateway.dialects.request_members import CALLED_IN_TEXT

_ELSEWHERE = {
    "responses": "; OpenAI's /v1/responses has it",
    "completions": "; OpenAI's /v1/completions has it",
}


def why_unfit(values: Mapping[str, object], quirks: Quirks) -> str:
    """ "": the request can be adapted."""
    return next(_reasons(dict(values), quirks), "")


def _reasons(values: dict[str, object], quirks: Quirks) -> Iterator[str]:
    elsewhere = quirks.value("endpoint", "any")
    if elsewhere is not None:
        yield f"is not served in chat completions{_ELSEWHERE.get(elsewhere, '')}"
    tools = values.get("tools")
    if tools:
        yield from _of_tools(values, quirks)
    messages = values.get("messages")
    messages = messages if isinstance(messages, list) else []
    begun = bool(messages) and role_of(messages[-1]) == "assistant"
    if begun and quirks.value("role", "last") == "user":
        yield "takes no beginning of the answer (a last turn of the assistant)"
    if quirks.value("content", "images") is not None and _has_images(messages):
        yield "takes no images"
    stop = values.get("stop")
    if stop and quirks.value("member", "stop") is not None:
        yield "takes no stop sequences"
    most = _most(quirks, "stop")
    if isinstance(stop, list) and most is not None and len(stop) > most:
        yield f"takes {most} stop sequences at most"


def _of_tools(values: dict[str, object], quirks: Quirks) -> Iterator[str]:
    tools, effort = values["tools"], effort_in(values)
    if quirks.value("endpoint", "tools") is not None:
        yield "takes no tools here"
    if quirks.value("state", "tools") is not None:
        yield CALLED_IN_TEXT
    if quirks.value("endpoint", "tools_unless_none") is not None and effort != "none":
        yield "takes tools here only with the effort none"
    beside = quirks.value("endpoint", "tools_with_effort") is not None
    if beside and effort not in (None, "none"):
        yield "takes no tools beside an effort here"
    format = values.get("response_format")
    kind = format.get("type") if isinstance(format, dict) else None
    json = kind in ("json_object", "json_schema")
    if json and quirks.value("endpoint", "tools_with_json") is not None:
        yield "takes no tools beside JSON mode"
    most = _most(quirks, "tools")
    if isinstance(tools, list) and most is not None and len(tools) > most:
        yield f"takes {most} tools at most"


def _most(quirks: Quirks, name: str) -> int | None:
    said = quirks.value("limit", name, "<=") or ""
    return int(said) if said.isdecimal() else None


def _has_images(messages: list[object]) -> bool:
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") in ("image_url", "image"):
                return True
    return False

"""Reasoning in chat answers: under which names and in which forms providers write thoughts.

`reasoning_content` (DeepSeek, Kimi, Qwen, GLM, vLLM), `reasoning` (Groq, Cerebras, OpenRouter,
Ollama), `reasoning_text` (Copilot), `reasoning_details` (OpenRouter), a list as `content` with
thinking and text chunks (Mistral), and a signature on a call (Gemini).
"""

from collections.abc import Iterable, Mapping

from llm_gateway.dialects.answer_observer import object_of, objects, text_of

Json = Mapping[str, object]

NAMES = ("reasoning_content", "reasoning", "reasoning_text")
"""Members that hold thoughts as text; where two say the same, the first."""

_PIECES = ("text", "summary", "data", "signature")
"""Members of reasoning details that come in pieces."""


def thoughts_of(message: Json) -> str:
    """Of a message or a delta, as one text."""
    for name in NAMES:
        if text := text_of(message.get(name)):
            return text
    if isinstance(content := message.get("content"), list):
        return "".join(map(_thinking, objects(content)))
    details = objects(message.get("reasoning_details"))
    return "".join(
        text_of(one.get("text")) or text_of(one.get("summary")) for one in details
    )


def named_thoughts(message: Json) -> bool:
    """There are some outside of reasoning details."""
    return any(text_of(message.get(name)) for name in NAMES)


def visible_text(content: list[object]) -> str:
    """The text of a list of chunks, without its thoughts."""
    return "".join(text_of(one.get("text")) for one in objects(content))


def _thinking(chunk: Json) -> str:
    inner = chunk.get("thinking")
    if isinstance(inner, str):
        return inner
    return "".join(text_of(one.get("text")) for one in objects(inner))


def details_of(messages: Iterable[Json]) -> list[dict[str, object]]:
    """Reasoning details of a message, or of the deltas that make one up."""
    whole: list[dict[str, object]] = []
    for message in messages:
        for one in objects(message.get("reasoning_details")):
            last = whole[-1] if whole else None
            if last is None or _which(last) != _which(one):
                whole.append(dict(one))
                continue
            for name, value in one.items():
                had = last.get(name)
                if name in _PIECES and isinstance(had, str) and isinstance(value, str):
                    last[name] = had + value
                elif value is not None:
                    last[name] = value
    return whole


def _which(one: Json) -> tuple[object, object]:
    return one.get("index"), one.get("type")


def signature_of(call: Json) -> str:
    """Gemini's: `extra_content.google.thought_signature`."""
    google = object_of(object_of(call.get("extra_content")).get("google"))
    return text_of(google.get("thought_signature"))

"""Reads `generationConfig`: bounds, sampling, thinking, output format."""

import re

from llm_gateway.dialects.generate_content.members import (
    Json,
    member,
    object_in,
    snake,
    text_in,
    texts_in,
)
from llm_gateway.dialects.generate_content.schema_words import read_schema
from llm_gateway.translation.numbers import number
from llm_gateway.translation.numbers import whole as plain_whole
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

_JSON = "application/json"
_READ = frozenset(
    {
        *("maxOutputTokens", "stopSequences", "temperature", "topP", "topK", "seed"),
        *("frequencyPenalty", "presencePenalty", "candidateCount", "thinkingConfig"),
        *("responseMimeType", "responseSchema", "responseJsonSchema"),
    }
)
_NAMES = _READ | {snake(name) for name in _READ}


def read_settings(body: Json) -> Settings:
    config = object_in(body, "generationConfig")
    n = _whole(config, "candidateCount")
    return Settings(
        max_tokens=_whole(config, "maxOutputTokens"),
        stop=tuple(text for text in texts_in(config, "stopSequences") if text),
        temperature=number(member(config, "temperature")),
        top_p=number(member(config, "topP")),
        top_k=_whole(config, "topK"),
        seed=_whole(config, "seed"),
        frequency_penalty=number(member(config, "frequencyPenalty")),
        presence_penalty=number(member(config, "presencePenalty")),
        reasoning=_reasoning(object_in(config, "thinkingConfig")),
        output=_output(config),
        n=n if n is not None and n > 1 else 1,
        stream=body.get("stream") is True,
    )


def _whole(holder: Json, name: str) -> int | None:
    """Whole numbers may be texts in the JSON of a protocol buffer."""
    value = member(holder, name)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return plain_whole(value)


def other_settings(config: Json) -> dict[str, object]:
    """What the neutral form has no place for, by its name."""
    found = {k: v for k, v in config.items() if k not in _NAMES and v is not None}
    modalities = member(config, "responseModalities")
    given = modalities if isinstance(modalities, list) else [modalities]
    if modalities and {str(one).upper() for one in given} <= {"TEXT"}:
        found.pop("responseModalities", None)
        found.pop("response_modalities", None)
    elif modalities:
        found["responseModalities"] = modalities
    kind = text_in(config, "responseMimeType")
    if kind not in ("", _JSON, "text/plain"):
        found["responseMimeType"] = kind
    return found


def _reasoning(thinking: Json) -> Reasoning:
    """Thoughts are shown to who asks for them. A budget of -1 is the model's own."""
    budget = _whole(thinking, "thinkingBudget")
    effort = text_in(thinking, "thinkingLevel").lower()
    mode = ""
    if budget == 0:
        mode = "off"
    elif budget is not None:
        mode = "manual" if budget > 0 else "adaptive"
    return Reasoning(
        effort if effort != "thinking_level_unspecified" else "",
        budget if mode == "manual" else None,
        mode,
        shown=(shown := member(thinking, "includeThoughts") is True),
        summary="summarized" if shown else "",
    )


def _output(config: Json) -> OutputFormat | None:
    """A schema without a type of answer can only be meant for JSON."""
    kind = text_in(config, "responseMimeType")
    if kind not in ("", _JSON):
        return None
    if schema := object_in(config, "responseJsonSchema"):
        return OutputFormat("json_schema", schema, strict=True, loose=True)
    if schema := object_in(config, "responseSchema"):
        return OutputFormat("json_schema", read_schema(schema), strict=True, loose=True)
    return OutputFormat("json_object") if kind else None

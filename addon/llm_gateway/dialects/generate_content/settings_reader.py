"""Reads `generationConfig`: bounds, sampling, thinking, output format."""

from llm_gateway.dialects.generate_content.members import (
    Json,
    member,
    object_in,
    snake,
    text_in,
)
from llm_gateway.dialects.generate_content.schema_words import read_schema
from llm_gateway.translation.numbers import number, whole
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
    stop = member(config, "stopSequences")
    n = whole(member(config, "candidateCount"))
    return Settings(
        max_tokens=whole(member(config, "maxOutputTokens")),
        stop=tuple(text for text in stop if isinstance(text, str) and text)
        if isinstance(stop, list)
        else (),
        temperature=number(member(config, "temperature")),
        top_p=number(member(config, "topP")),
        top_k=whole(member(config, "topK")),
        seed=whole(member(config, "seed")),
        frequency_penalty=number(member(config, "frequencyPenalty")),
        presence_penalty=number(member(config, "presencePenalty")),
        reasoning=_reasoning(object_in(config, "thinkingConfig")),
        output=_output(config),
        n=n if n is not None and n > 1 else 1,
        stream=body.get("stream") is True,
    )


def other_settings(config: Json) -> dict[str, object]:
    """What the neutral form has no place for, by its name."""
    found = {k: v for k, v in config.items() if k not in _NAMES and v is not None}
    modalities = member(config, "responseModalities")
    if isinstance(modalities, list) and {str(m).upper() for m in modalities} <= {
        "TEXT"
    }:
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
    budget = whole(member(thinking, "thinkingBudget"))
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
    if text_in(config, "responseMimeType") != _JSON:
        return None
    if schema := object_in(config, "responseJsonSchema"):
        return OutputFormat("json_schema", schema, strict=True, loose=True)
    if schema := object_in(config, "responseSchema"):
        return OutputFormat("json_schema", read_schema(schema), strict=True, loose=True)
    return OutputFormat("json_object")

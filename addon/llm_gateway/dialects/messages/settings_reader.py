"""Reads the settings of a Messages request: bounds, sampling, thinking, output format."""

from llm_gateway.dialects.answer_observer import Json, object_of, text_of
from llm_gateway.translation.numbers import number, whole
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

READ = frozenset(
    {
        *("model", "messages", "system", "tools", "tool_choice", "mcp_servers"),
        *("max_tokens", "stop_sequences", "temperature", "top_p", "top_k", "stream"),
        *("thinking", "output_config", "output_format"),
    }
)
"""Top-level members that the neutral form has a place for."""

_MODES = {
    "enabled": "manual",
    "adaptive": "adaptive",
    "between_tools": "adaptive",
    "disabled": "off",
}


def read_settings(body: Json) -> Settings:
    choice = object_of(body.get("tool_choice"))
    alone = choice.get("disable_parallel_tool_use")
    stop = body.get("stop_sequences")
    return Settings(
        max_tokens=whole(body.get("max_tokens")),
        stop=tuple(text for text in stop if isinstance(text, str) and text)
        if isinstance(stop, list)
        else (),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        top_k=whole(body.get("top_k")),
        parallel=not alone if isinstance(alone, bool) else None,
        reasoning=_reasoning(body),
        output=_output(body),
        stream=body.get("stream") is True,
    )


def _reasoning(body: Json) -> Reasoning:
    """Thoughts are shown to who asks for them: others expect the text in the first block."""
    thinking = object_of(body.get("thinking"))
    kind = text_of(thinking.get("type"))
    budget = whole(thinking.get("budget_tokens"))
    mode = _MODES.get(kind, "manual" if budget is not None else "")
    return Reasoning(
        effort=text_of(object_of(body.get("output_config")).get("effort")),
        budget=budget if mode == "manual" else None,
        mode=mode,
        shown=mode in ("manual", "adaptive") and thinking.get("display") != "omitted",
        summary=text_of(thinking.get("display")),
    )


def _output(body: Json) -> OutputFormat | None:
    inside = object_of(body.get("output_config")).get("format")
    format = object_of(inside if inside is not None else body.get("output_format"))
    schema = format.get("schema")
    if format.get("type") != "json_schema" or not isinstance(schema, dict):
        return None
    return OutputFormat("json_schema", schema, strict=True, loose=True)

"""Reads the settings of a chat request: bounds, sampling, reasoning, response format."""

from llm_gateway.dialects.answer_observer import Json, object_of, text_of
from llm_gateway.translation.numbers import number, whole
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

READ = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "functions", "function_call"),
        *("max_tokens", "max_completion_tokens", "stop", "temperature", "top_p"),
        *("top_k", "seed", "frequency_penalty", "presence_penalty", "n", "stream"),
        *("parallel_tool_calls", "stream_options", "response_format", "user"),
        *("reasoning_effort", "reasoning", "thinking", "enable_thinking"),
        *("prompt_cache_key", "web_search_options"),
    }
)
"""Top-level members that the neutral form has a place for."""


def read_settings(body: Json) -> Settings:
    parallel = body.get("parallel_tool_calls")
    options = object_of(body.get("stream_options"))
    most = whole(body.get("max_completion_tokens"))
    n = whole(body.get("n"))
    return Settings(
        max_tokens=most if most is not None else whole(body.get("max_tokens")),
        stop=_stop(body.get("stop")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        top_k=whole(body.get("top_k")),
        seed=whole(body.get("seed")),
        frequency_penalty=number(body.get("frequency_penalty")),
        presence_penalty=number(body.get("presence_penalty")),
        parallel=parallel if isinstance(parallel, bool) else None,
        reasoning=_reasoning(body),
        output=_output(object_of(body.get("response_format"))),
        n=n if n is not None and n > 1 else 1,
        stream=body.get("stream") is True,
        wants_usage=options.get("include_usage") is True,
        user=text_of(body.get("user")),
        cache_key=text_of(body.get("prompt_cache_key")),
    )


def _stop(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    given = value if isinstance(value, list) else []
    return tuple(text for text in given if isinstance(text, str) and text)


def _reasoning(body: Json) -> Reasoning:
    """An effort, or one of the switches that providers have."""
    inner = object_of(body.get("reasoning"))
    effort = text_of(body.get("reasoning_effort")) or text_of(inner.get("effort"))
    budget = whole(inner.get("max_tokens"))
    thinking = object_of(body.get("thinking"))
    switch = body.get("enable_thinking", inner.get("enabled"))
    is_off = thinking.get("type") == "disabled" or switch is False
    is_on = thinking.get("type") in ("enabled", "adaptive") or switch is True
    if budget is None:
        budget = whole(thinking.get("budget_tokens"))
    mode = "off" if is_off or effort == "none" else ""
    if not mode and budget is not None:
        mode = "manual"
    elif not mode and is_on:
        mode = "adaptive"
    hidden = inner.get("exclude") is True
    return Reasoning(effort, budget, mode, shown=False if hidden else None)


def _output(format: Json) -> OutputFormat | None:
    match format.get("type"):
        case "json_object":
            return OutputFormat("json_object")
        case "json_schema":
            inner = object_of(format.get("json_schema"))
            schema, strict = inner.get("schema"), inner.get("strict")
            if not isinstance(schema, dict):
                return OutputFormat("json_object")
            return OutputFormat(
                "json_schema",
                schema,
                text_of(inner.get("name")),
                text_of(inner.get("description")),
                strict if isinstance(strict, bool) else None,
            )
    return None

"""Reads settings of a Responses request: bounds, sampling, reasoning, output format."""

from llm_gateway.dialects.answer_observer import Json, object_of, objects, text_of
from llm_gateway.dialects.responses.item_reader import SETTINGS, is_lost_thought
from llm_gateway.translation.settings import OutputFormat, Reasoning, Settings

READ = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "stream"),
        *("max_output_tokens", "temperature", "top_p", "parallel_tool_calls"),
        *("reasoning", "text", "prompt_cache_key", "safety_identifier", "user"),
        *("include", "stream_options", "store"),
    }
)
"""Top-level members that the neutral form has a place for, or that change nothing where
answers are not kept and come in our own words."""

_DEFAULTS: Json = {
    "truncation": "disabled",
    "service_tier": "auto",
    "background": False,
    "metadata": {},
}
_OURS = "reasoning.encrypted_content"
"""What an answer includes in any case."""
_LOGPROBS = "message.output_text.logprobs"


def read_settings(body: Json) -> Settings:
    reasoning, text = _latest(body)
    parallel = body.get("parallel_tool_calls")
    return Settings(
        max_tokens=_whole(body.get("max_output_tokens")),
        temperature=_number(body.get("temperature")),
        top_p=_number(body.get("top_p")),
        parallel=parallel if isinstance(parallel, bool) else None,
        reasoning=_reasoning(reasoning),
        output=_output(object_of(text.get("format"))),
        stream=body.get("stream") is True,
        user=text_of(body.get("safety_identifier")) or text_of(body.get("user")),
        cache_key=text_of(body.get("prompt_cache_key")),
    )


def read_extras(body: Json) -> dict[str, object]:
    """What has no place in the neutral form; members of members as `text.verbosity`."""
    found = {
        name: value
        for name, value in body.items()
        if name not in READ and value is not None and value != _DEFAULTS.get(name)
    }
    for member, known in (
        ("reasoning", ("effort", "summary", "generate_summary")),
        ("text", ("format",)),
    ):
        for name, value in object_of(body.get(member)).items():
            if name not in known and value is not None:
                found[f"{member}.{name}"] = value
    wanted = body.get("include")
    for name in wanted if isinstance(wanted, list) else ():
        if name == _LOGPROBS:
            found["logprobs"] = True
        elif name != _OURS:
            found.setdefault("include", wanted)
    if body.get("store") is True:
        found["store"] = True
    for item in objects(body.get("input")):
        if "phase" in item:
            found["phase"] = True
        if is_lost_thought(item, text_of(item.get("type"))):
            found["item_reference"] = True
    return found


def _latest(body: Json) -> tuple[Json, Json]:
    """`reasoning` and `text`, as the last item that updates them has them."""
    reasoning, text = object_of(body.get("reasoning")), object_of(body.get("text"))
    for item in objects(body.get("input")):
        if item.get("type") == SETTINGS:
            reasoning = {**reasoning, **object_of(item.get("reasoning"))}
            text = {**text, **object_of(item.get("text"))}
    return reasoning, text


def _reasoning(given: Json) -> Reasoning:
    """Summaries are shown to who asks for them."""
    effort = text_of(given.get("effort"))
    summary = text_of(given.get("summary")) or text_of(given.get("generate_summary"))
    return Reasoning(
        effort,
        mode="off" if effort == "none" else "",
        shown=bool(summary),
        summary=summary,
    )


def _output(format: Json) -> OutputFormat | None:
    match format.get("type"):
        case "json_object":
            return OutputFormat("json_object")
        case "json_schema":
            said = object_of(format.get("json_schema")) or format
            schema = said.get("schema")
            return OutputFormat(
                "json_schema",
                schema if isinstance(schema, dict) else None,
                text_of(said.get("name")),
                text_of(said.get("description")),
                said.get("strict") is True,
            )
    return None


def _whole(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value

"""What refusals of generateContent teach where a template is not enough. Pure.

Google names the place of a member it does not know as protocol buffers have it
(`contents[1].parts[0].function_call`), and the member as the client wrote it. What stands
there is taught, and only what may be left out: the rest is the client's own mistake.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from llm_gateway.adaptation.refused_member import SCHEMA_WORDS, is_off
from llm_gateway.adaptation.sent_body import Json, dicts
from llm_gateway.adaptation.wording import Refusal
from llm_gateway.dialects.efforts import LEVELS
from llm_gateway.dialects.generate_content.call_pairs import paired
from llm_gateway.dialects.generate_content.config import SAMPLING, config_of
from llm_gateway.dialects.generate_content.history import (
    CALL_CORE,
    PART_CORE,
    TURN_CORE,
    has_neighbours,
)
from llm_gateway.dialects.generate_content.members import (
    listed,
    member,
    object_in,
    objects_in,
    role_in,
    snake,
    spelled,
    text_in,
)
from llm_gateway.dialects.generate_content.tools import FUNCTIONS, is_bare

_TOP = frozenset({"safety_settings", "labels", "service_tier", "store", "tool_config"})
_CONFIG = frozenset(
    {
        *("thinking_config", "media_resolution", "audio_timestamp", "routing_config"),
        *("enable_enhanced_civic_answers", "model_selection_config", "logprobs"),
        *("response_logprobs", "speech_config", "image_config"),
    }
)
_THINKING = frozenset({"thinking_level", "thinking_budget", "include_thoughts"})
_PARTS = frozenset(
    {"thought_signature", "video_metadata", "media_resolution", "part_metadata"}
)
_TOOL = frozenset({"behavior", "response", "response_json_schema"})
_SERVED = frozenset(
    {
        *("google_search", "google_search_retrieval", "code_execution", "url_context"),
        *("google_maps", "file_search", "computer_use", "enterprise_web_search"),
    }
)
_STEP = re.compile(r"([A-Za-z_]\w*)(?:\[(\d{1,5})\])?")


def unknown_name(refusal: Refusal) -> Iterator[str]:
    """Members that stand at the place that is named; as many as the refusal names."""
    for found in refusal.match.re.finditer(refusal.match.string):
        yield from _member(refusal.sent, found["name"], found["at"] or "")


def _member(sent: Json, name: str, at: str) -> Iterator[str]:
    steps = [(snake(step[1]), step[2]) for step in _STEP.finditer(at)]
    names = [step for step, _ in steps]
    plain = snake(name)
    if any(step in names for step in ("parameters", "parameters_json_schema")) or any(
        step.endswith("_schema") for step in names
    ):
        if name.lower() in SCHEMA_WORDS and _stands(_schemas(sent), name):
            yield f"schema:{name}"
    elif not any(name in holder for holder in _holders(sent, steps)):
        return
    elif not names:
        if plain in _TOP:
            yield f"member:{plain}"
    elif names[0] == "generation_config":
        yield from _of_config(plain, names[1:])
    elif names[0] == "tools":
        if "function_declarations" in names and plain in _TOOL:
            yield f"tool:{plain}"
        elif len(names) == 1 and plain in _SERVED:
            yield f"tool_type:{plain}=out"
    elif names[0] == "contents":
        yield from _of_turns(sent, plain, names)


def _of_config(name: str, path: list[str]) -> Iterator[str]:
    if not path and name in SAMPLING:
        yield f"sampling:{name}"
    elif not path and name in _CONFIG:
        yield f"member:generationConfig.{name}"
    elif path == ["thinking_config"] and name in _THINKING:
        yield f"member:generationConfig.thinking_config.{name}"


def _of_turns(sent: Json, name: str, names: list[str]) -> Iterator[str]:
    """Of parts of the model's turns anything that says nothing: a provider wrote it."""
    if {"function_call", "function_response"} & {*names}:
        if name not in CALL_CORE:
            yield f"call:{name}"
    elif "parts" in names:
        if name in _PARTS or (name not in PART_CORE and _is_written(sent, name)):
            yield f"part:{name}"
    elif name not in TURN_CORE and any(
        role_in(turn) == "model" and spelled(turn, name)
        for turn in objects_in(sent, "contents")
    ):
        yield f"message:{name}"


def _is_written(sent: Json, name: str) -> bool:
    """By the model alone, and always beside something that is said."""
    return all(
        role_in(turn) == "model" and {snake(key) for key in part} & PART_CORE
        for turn in objects_in(sent, "contents")
        for part in objects_in(turn, "parts")
        if spelled(part, name)
    )


def _holders(sent: Json, steps: list[tuple[str, str]]) -> list[Json]:
    """The objects at this place: one, or all of a list where no number is named."""
    found: list[Json] = [sent]
    for name, index in steps:
        inner: list[Json] = []
        for holder in found:
            value = member(holder, _camel(name))
            if isinstance(value, list):
                inner += dicts(value[int(index) :][:1] if index else value)
            else:
                inner += dicts([value])
        found = inner
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _schemas(sent: Json) -> list[object]:
    config = config_of(sent)
    found: list[object] = [config.get("response_schema")]
    found.append(config.get("response_json_schema"))
    for tool in objects_in(sent, "tools"):
        for declared in objects_in(tool, FUNCTIONS):
            found.append(member(declared, "parameters"))
            found.append(member(declared, "parametersJsonSchema"))
    return found


def _stands(value: object, name: str, depth: int = 40) -> bool:
    if depth and isinstance(value, dict):
        return name in value or any(_stands(v, name, depth - 1) for v in value.values())
    if depth and isinstance(value, list):
        return any(_stands(v, name, depth - 1) for v in value)
    return False


def signature_missing(refusal: Refusal) -> Iterator[str]:
    """The first call of some turn of the model's has none."""
    for turn in objects_in(refusal.sent, "contents"):
        calls = [p for p in objects_in(turn, "parts") if object_in(p, "functionCall")]
        if calls and not text_in(calls[0], "thoughtSignature"):
            yield "signature:google"
            return


def signature_strange(refusal: Refusal) -> Iterator[str]:
    """The signatures of this conversation are another model's, or damaged."""
    parts = [
        part
        for turn in objects_in(refusal.sent, "contents")
        for part in objects_in(turn, "parts")
    ]
    if any(text_in(part, "thoughtSignature") for part in parts):
        yield "state:signature=ours"


def sampling(refusal: Refusal) -> Iterator[str]:
    name = snake(refusal.match["name"])
    config = config_of(refusal.sent)
    if name in SAMPLING & config.keys() and not is_off(name, config[name]):
        yield f"sampling:{name}"


def penalties(refusal: Refusal) -> Iterator[str]:
    for name in ("presence_penalty", "frequency_penalty"):
        if name in config_of(refusal.sent):
            yield f"sampling:{name}"


def most_output(refusal: Refusal) -> Iterator[str]:
    found = refusal.match.groupdict()
    most = int(found["most"]) - (1 if found.get("exclusive") else 0)
    asked = config_of(refusal.sent).get("max_output_tokens")
    if _is_number(asked) and 0 < most < asked:
        yield f"limit:max_output_tokens<={most}"


def no_levels(refusal: Refusal) -> Iterator[str]:
    if "thinking_level" in _thinking(refusal.sent):
        yield "member:generationConfig.thinking_config.thinking_level"


def not_this_level(refusal: Refusal) -> Iterator[str]:
    """All but this one, of those that are not known to be refused."""
    refused, asked = refusal.match["level"].lower(), _level(refusal.sent)
    known = refusal.known.value("effort", "allowed")
    allowed = known.split(",") if known else list(LEVELS[1:])
    left = [level for level in allowed if level != refused]
    if asked == refused and left:
        yield f"effort:allowed={','.join(left)}"


def no_budget(refusal: Refusal) -> Iterator[str]:
    if "thinking_budget" in _thinking(refusal.sent):
        yield "member:generationConfig.thinking_config.thinking_budget"


def no_thinking(refusal: Refusal) -> Iterator[str]:
    if "thinking_config" in config_of(refusal.sent):
        yield "member:generationConfig.thinking_config"


def budget_range(refusal: Refusal) -> Iterator[str]:
    """A budget is kept within what is named; none at all means that it always thinks."""
    least, most = int(refusal.match["least"]), int(refusal.match["most"])
    asked = _thinking(refusal.sent).get("thinking_budget")
    if not _is_number(asked):
        return
    if asked == 0:
        yield "thinking:off=out"
    elif 0 < asked < least:
        yield f"limit:thinking_budget>={least}"
    elif asked > most > 0:
        yield f"limit:thinking_budget<={most}"


def always_on(refusal: Refusal) -> Iterator[str]:
    if _thinking(refusal.sent).get("thinking_budget") == 0:
        yield "thinking:off=out"


def prefill(refusal: Refusal) -> Iterator[str]:
    contents = listed(refusal.sent.get("contents"))
    if contents and role_in(contents[-1]) == "model":
        yield "role:last=user"


def apart(refusal: Refusal) -> Iterator[str]:
    """Results that stand in turns of their own, turns that follow their like, or calls and
    results that do not meet."""
    contents = listed(refusal.sent.get("contents"))
    if has_neighbours(contents):
        yield "role:same=merged"
    if paired(contents) is not contents:
        yield "tools:paired"


def no_system(refusal: Refusal) -> Iterator[str]:
    if member(refusal.sent, "systemInstruction"):
        yield "role:system=user"


def no_tools(refusal: Refusal) -> Iterator[str]:
    if refusal.sent.get("tools"):
        yield "endpoint:tools"


def no_json_beside_tools(refusal: Refusal) -> Iterator[str]:
    mime = config_of(refusal.sent).get("response_mime_type")
    if refusal.sent.get("tools") and mime == "application/json":
        yield "endpoint:tools_with_json"


def served_alone(refusal: Refusal) -> Iterator[str]:
    """Google's own tools beside functions."""
    kinds = {snake(key) for tool in objects_in(refusal.sent, "tools") for key in tool}
    if snake(FUNCTIONS) in kinds and kinds - {snake(FUNCTIONS)}:
        yield "tool_type:server=alone"


def bare_parameters(refusal: Refusal) -> Iterator[str]:
    for tool in objects_in(refusal.sent, "tools"):
        for declared in objects_in(tool, FUNCTIONS):
            if is_bare(object_in(declared, "parameters")):
                yield "tools:properties"
                return


def _thinking(sent: Json) -> Mapping[str, object]:
    held = config_of(sent).get("thinking_config")
    return {snake(k): v for k, v in held.items()} if isinstance(held, dict) else {}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _level(sent: Json) -> str:
    level = _thinking(sent).get("thinking_level")
    return level.lower() if isinstance(level, str) else ""

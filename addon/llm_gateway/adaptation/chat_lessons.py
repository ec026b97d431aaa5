"""What refusals of chat completions teach where a template is not enough. Pure.

Each function reads the match and the body that was sent, and gives quirks as text; none,
where a resend would not differ or the client's own value is at fault.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from llm_gateway.adaptation.named_extras import without_known_ones
from llm_gateway.adaptation.refused_member import Shape, is_off, named
from llm_gateway.adaptation.sent_body import dicts, inner
from llm_gateway.adaptation.wording import Refusal, Teach
from llm_gateway.dialects.efforts import LEVELS

SHAPE = Shape(
    turns="messages",
    top=frozenset(
        {
            *("stream_options", "store", "metadata", "user", "service_tier", "seed"),
            *("logprobs", "top_logprobs", "logit_bias", "parallel_tool_calls", "stop"),
            *(
                "reasoning_effort",
                "verbosity",
                "prediction",
                "modalities",
                "cache_control",
            ),
            *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
            *("safety_identifier", "max_tokens", "max_completion_tokens", "thinking"),
            *(
                "reasoning",
                "enable_thinking",
                "thinking_budget",
                "chat_template_kwargs",
            ),
            *("include_reasoning", "reasoning_format", "reasoning_split", "extra_body"),
            *("tool_stream", "random_seed", "safe_prompt", "provider", "transforms"),
            *("models", "route", "usage", "think", "keep_alive", "options", "num_ctx"),
            *("disable_reasoning", "do_sample", "request_id", "user_id", "caching"),
            *(
                "preserve_thinking",
                "clear_thinking",
                "session_id",
                "trace",
                "functions",
            ),
        }
    )
    - {"functions"},
    turn_core=frozenset({"role", "content", "name", "tool_calls", "tool_call_id"}),
    turn=frozenset(
        {
            *("refusal", "annotations", "audio", "function_call", "parsed", "channel"),
            *("reasoning", "reasoning_content", "reasoning_details", "reasoning_text"),
            *("provider_specific_fields", "cache_control", "copilotMessageSource"),
            *("id", "timestamp", "metadata", "thinking_blocks", "images", "prefix"),
            *("extra_content", "tool_calls", "is_error", "copilot_cache_control"),
        }
    ),
    calls="tool_calls",
    call_core=frozenset({"id", "type", "function", "name", "arguments"}),
    tool=frozenset(
        {"strict", "cache_control", "defer_loading", "eager_input_streaming"}
    ),
    part=frozenset({"cache_control", "annotations", "id"}),
    renames={
        "max_tokens": "max_completion_tokens",
        "max_completion_tokens": "max_tokens",
    },
    sampling=frozenset(
        {
            *("temperature", "top_p", "top_k", "min_p", "presence_penalty"),
            *("frequency_penalty", "repetition_penalty"),
        }
    ),
)
"""Of chat completions, as clients and providers write them."""

_OUTPUT = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_CONTENT_OF = re.compile(r"messages\W{1,4}(?P<index>\d{1,6})\W{1,4}content\b", re.I)
_NUMBER = r"[`'\"]?(?P<most>\d{2,7})[`'\"]?"

LARGEST_OUTPUT = (
    (27, "OpenAI", rf"supports at most {_NUMBER} (?:completion|output) tokens"),
    (28, "Claude", rf"max_tokens: \d+ > {_NUMBER}, which is the maximum allowed"),
    (
        29,
        "Groq, Cohere, Cerebras",
        r"max_(?:completion_|output_)?tokens\W.{0,40}?"
        rf"(?:less than or equal to|at most|<=|no more than|not exceed) {_NUMBER}",
    ),
    (
        30,
        "DeepSeek, DashScope",
        r"range of max_(?:completion_|output_)?tokens (?:is|should be) "
        rf"[\[(]\d+,\s*{_NUMBER}\]",
    ),
    (
        31,
        "Gemini",
        r"max_?output_?tokens.{0,80}?range is from \d+ \(inclusive\) to "
        rf"{_NUMBER} \((?P<exclusive>exclusive)\)",
    ),
)
"""(number, whose words, pattern): how long an answer may be, at most."""


def most_output(refusal: Refusal) -> Iterator[str]:
    """The number, where it is less than what was asked for."""
    found = refusal.match.groupdict()
    most = int(found["most"]) - (1 if found.get("exclusive") else 0)
    asked = _asked(refusal.sent)
    if asked is not None and 0 < most < asked:
        yield f"limit:max_tokens<={most}"


def least_output(refusal: Refusal) -> Iterator[str]:
    """Small caps are raised; nothing or less is the client's own mistake."""
    least, asked = int(refusal.match["value"]), _asked(refusal.sent)
    if asked is not None and 0 < asked < least:
        yield f"limit:max_tokens>={least}"


def plain_output(refusal: Refusal) -> Iterator[str]:
    if refusal.sent.get("stream") is not True:
        yield f"limit:plain_max_tokens<={_first(refusal)}"


def most_tools(refusal: Refusal) -> Iterator[str]:
    tools, most = refusal.sent.get("tools"), int(_first(refusal))
    if isinstance(tools, list) and len(tools) > most > 0:
        yield f"limit:tools<={most}"


def one_value(refusal: Refusal) -> Iterator[str]:
    """It takes one value of a sampling member alone."""
    name = refusal.match["name"]
    if name not in SHAPE.sampling or name not in refusal.sent:
        return
    if not is_off(name, refusal.sent[name]):
        yield f"sampling:{name}={refusal.match['value']}"


def penalties(refusal: Refusal) -> Iterator[str]:
    for name in ("presence_penalty", "frequency_penalty"):
        if name in refusal.sent:
            yield f"sampling:{name}"


def efforts(refusal: Refusal) -> Iterator[str]:
    if not _effort_sent(refusal.sent):
        return
    said = re.findall(r"[a-z]+", refusal.match["values"].lower())
    allowed = [word for word in (*LEVELS, "default") if word in said]
    if allowed:
        yield f"effort:allowed={','.join(allowed)}"


def no_parallel_calls(refusal: Refusal) -> Iterator[str]:
    """The switch that allows them, or else calls that stand side by side in the history."""
    sent = refusal.sent
    if sent.get("parallel_tool_calls") is not True and any(
        len(list(dicts(turn.get("tool_calls")))) > 1
        for turn in dicts(sent.get("messages"))
    ):
        yield "tools:single"
    elif "parallel_tool_calls" in sent:
        yield "member:parallel_tool_calls"


def efforts_by_param(refusal: Refusal) -> Iterator[str]:
    if "effort" in refusal.error.param:
        yield from efforts(refusal)


def not_this_effort(refusal: Refusal) -> Iterator[str]:
    """All but this one, of those that are not known to be refused."""
    if not _effort_sent(refusal.sent):
        return
    found = refusal.match.groupdict()
    refused = (found.get("value") or found.get("other") or "").lower()
    known = refusal.known.value("effort", "allowed")
    allowed = known.split(",") if known else list(LEVELS)
    left = [word for word in allowed if word != refused]
    if refused in allowed and left:
        yield f"effort:allowed={','.join(left)}"


def no_tools(refusal: Refusal) -> Iterator[str]:
    if refusal.sent.get("tools"):
        yield "endpoint:tools"


def tools_elsewhere(refusal: Refusal) -> Iterator[str]:
    """Tools beside an effort are refused; without one, too, where it thinks by default."""
    effort = refusal.sent.get("reasoning_effort")
    if effort == "none":
        yield "endpoint:tools=responses"
    elif effort is not None:
        yield "endpoint:tools_with_effort=responses"
    elif re.search(r"to\s+[`'\"]?none\b", refusal.match.string, re.IGNORECASE):
        yield "endpoint:tools_unless_none=responses"
    else:
        yield "endpoint:tools=responses"


def id_of_length(refusal: Refusal) -> Iterator[str]:
    """`a-z, A-Z, 0-9` -> `[a-zA-Z0-9]{9}`; marks named beside them are left unused."""
    spans = re.findall(r"[a-z]-[a-z]|[A-Z]-[A-Z]|\d-\d", refusal.match["chars"])
    if spans:
        # Texts in lower case say a-z twice.
        chars = "".join(dict.fromkeys(spans))
        yield f"id:call=[{chars}]{{{refusal.match['length']}}}"


def thoughts_wanted(refusal: Refusal) -> Iterator[str]:
    found = refusal.match.groupdict()
    yield f"reasoning:wanted={found.get('name') or found.get('other')}"


def forced_while_thinking(form: str) -> Teach:
    """Thinking goes off beside a forced tool; where that did not help, the choice does."""

    def teach(refusal: Refusal) -> Iterable[str]:
        if not _forced(refusal.sent):
            return ()
        if refusal.known.value("thinking", "off") == "forced_tool":
            return ("tool_choice:forced=auto",)
        return ("thinking:off=forced_tool", f"thinking:form={form}")

    return teach


def choice_of_auto(refusal: Refusal) -> Iterator[str]:
    choice = refusal.sent.get("tool_choice")
    if choice == "none":
        yield "tool_choice:none=no_tools"
    elif _forced(refusal.sent):
        yield "tool_choice:forced=auto"


def choice_as_string(refusal: Refusal) -> Iterator[str]:
    if isinstance(refusal.sent.get("tool_choice"), dict):
        yield "tool_choice:forced=string"


def unpaired(refusal: Refusal) -> Iterator[str]:
    """Ids that clients cut to the same look like calls without results."""
    ids = [
        call.get("id")
        for message in _messages(refusal.sent)
        if isinstance(calls := message.get("tool_calls"), list)
        for call in calls
        if isinstance(call, dict)
    ]
    said = [id for id in ids if isinstance(id, str)]
    if len({*said}) == len(ids):
        yield "tools:paired"
    elif all(re.fullmatch("[a-zA-Z0-9]{9}", id) for id in said):
        yield "id:call=[a-zA-Z0-9]{9}"
    else:
        yield "id:call=[a-zA-Z0-9_-]{1,64}"


def developer(refusal: Refusal) -> Iterator[str]:
    """One that does not know the system either has both as the user's text."""
    roles = _roles(refusal.sent)
    if "developer" in roles:
        yield "role:developer=system"
    elif "system" in roles and "does not support" in refusal.match[0].lower():
        yield "role:system=user"


def prefill(refusal: Refusal) -> Iterator[str]:
    """Mistral says how it takes one."""
    if _roles(refusal.sent)[-1:] == ["assistant"]:
        marked = "with prefix true" in refusal.match.string.lower()
        yield "role:last=prefix" if marked else "role:last=user"


def user_wanted(refusal: Refusal) -> Iterator[str]:
    if "user" not in _roles(refusal.sent):
        yield "role:user=wanted"


def content_of_schema(refusal: Refusal) -> Iterator[str]:
    """All that is said of contents; other members are checked in the same words."""
    said = refusal.match.string
    if re.search(r"/content[`'\"], [`'\"]array", said):
        yield from _if_found(refusal, "content:text")
    if re.search(
        r"/content[`'\"], [`'\"](?:null|undefined)|/messages/\d+[`'\"] are", said
    ):
        yield from _if_found(refusal, "content:null")


def content_as_string(refusal: Refusal) -> Iterator[str]:
    """Where one turn is named whose content is neither null nor a list, that is not it."""
    turns = _messages(refusal.sent)
    said = _CONTENT_OF.search(refusal.match.string)
    index = int(said["index"]) if said else len(turns)
    if index < len(turns) and isinstance(turns[index].get("content"), str | dict):
        return
    yield from _if_found(refusal, "content:text")
    yield from _if_found(refusal, "content:null")


def empty_turns(refusal: Refusal) -> Iterator[str]:
    for message in _messages(refusal.sent):
        if not message.get("content") and not message.get("tool_calls"):
            yield "content:empty"
            return


def no_images(refusal: Refusal) -> Iterator[str]:
    for part in _parts(refusal.sent):
        if part.get("type") == "image_url":
            yield "content:images"
            return


def named_somewhere(refusal: Refusal) -> Iterator[str]:
    """The one of these that stands first: a remedy is named behind the culprit."""
    text = without_known_ones(refusal.match.string)
    names = [
        (found.start(), name)
        for name in ("stream_options", "max_completion_tokens", "max_tokens")
        if (found := re.search(rf"(?<![a-z_]){name}(?![a-z_])", text))
    ]
    for _, name in sorted(names)[:1]:
        yield from named(SHAPE, refusal, [name])


def asked_for_usage(refusal: Refusal) -> Iterator[str]:
    """The gateway asks streams for their usage, whether the client did or not."""
    sent, asked = refusal.sent, {"include_usage": True}
    text = without_known_ones(refusal.match.string)
    is_asked = sent.get("stream") is True and sent.get("stream_options") == asked
    if is_asked and re.search("stream_?options", text, re.IGNORECASE):
        yield "member:stream_options"


def content_wanted(refusal: Refusal) -> Iterator[str]:
    """What clients leave out beside calls, or hand back as it came; no user's turn."""
    for message in _messages(refusal.sent):
        written = message.get("role") in ("assistant", "tool")
        if written and message.get("content") is None:
            yield "content:null"
            return


def _if_found(refusal: Refusal, quirk: str) -> Iterator[str]:
    for message in _messages(refusal.sent):
        content = message.get("content")
        if isinstance(content, list) if quirk == "content:text" else content is None:
            yield quirk
            return


def _messages(sent: Mapping[str, object]) -> list[Mapping[str, object]]:
    messages = sent.get("messages")
    return (
        [m for m in messages if isinstance(m, dict)]
        if isinstance(messages, list)
        else []
    )


def _parts(sent: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for message in _messages(sent):
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _roles(sent: Mapping[str, object]) -> list[object]:
    return [message.get("role") for message in _messages(sent)]


def _forced(sent: Mapping[str, object]) -> bool:
    return sent.get("tool_choice") not in (None, "auto", "none")


def _effort_sent(sent: Mapping[str, object]) -> bool:
    """A level was asked for that somebody takes."""
    level = sent.get("reasoning_effort", inner(sent, "reasoning").get("effort"))
    return level in (*LEVELS, "default")


def _asked(sent: Mapping[str, object]) -> int | None:
    asked = [
        int(value)
        for key in _OUTPUT
        if isinstance(value := sent.get(key), int | float)
        and not isinstance(value, bool)
        and abs(value) < 2**53
    ]
    return max(asked, default=None)


def _first(refusal: Refusal) -> str:
    return next((group for group in refusal.match.groups() if group), "0")

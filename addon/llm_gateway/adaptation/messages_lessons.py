"""What refusals of Messages teach where a template is not enough. Pure.

Each function reads the match and the body that was sent, and gives quirks as text; none,
where a resend would not differ or the client's own value is at fault.
"""

import re
from collections.abc import Iterable, Iterator

from llm_gateway.adaptation.refused_member import Shape, is_off
from llm_gateway.adaptation.sent_body import (
    Json,
    block_types,
    dicts,
    inner,
    roles,
    served_types,
    types_in,
    word,
)
from llm_gateway.adaptation.wording import Refusal
from llm_gateway.dialects.efforts import LEVELS, efforts_below

SHAPE = Shape(
    turns="messages",
    top=frozenset(
        {
            *("context_management", "container", "mcp_servers", "service_tier"),
            *("output_config", "output_format", "metadata", "speed", "fallbacks"),
            *("inference_geo", "thinking", "stop_sequences", "anthropic_beta"),
            *("betas", "cache_control", "diagnostics", "user_profile_id"),
        }
    ),
    turn_core=frozenset({"role", "content"}),
    turn=frozenset({"id", "model", "usage", "stop_reason", "stop_sequence", "type"}),
    calls="",
    call_core=frozenset(),
    tool=frozenset(
        {
            *("strict", "eager_input_streaming", "defer_loading", "allowed_callers"),
            *("input_examples", "cache_control"),
        }
    ),
    part=frozenset({"citations", "caller", "signature", "title", "context", "id"}),
    renames={},
    sampling=frozenset({"temperature", "top_p", "top_k"}),
)
"""Of Messages, as clients and providers write them."""

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_EVERYBODYS = "text,image,document,tool_use,tool_result,thinking,redacted_thinking"
_USERS = re.compile(
    r"text|image|document|search_result|container_upload|tool_reference"
    r"|(?:redacted_)?thinking|\w*tool_(?:use|result)"
)
"""Types of blocks that clients write."""
_TYPES = frozenset({"adaptive", "enabled", "disabled"})
"""Of thinking, that clients ask for."""
_NO_TEXT = frozenset({"image", "document", "container_upload"})


def thinking_type(refusal: Refusal) -> Iterator[str]:
    """The type that was sent becomes the one that is named behind it."""
    refused = refusal.match["type"].lower()
    if word(inner(refusal.sent, "thinking"), "type") != refused:
        return
    said = refusal.match.string[refusal.match.end() :].lower()
    if refused == "adaptive":
        yield "thinking:adaptive=enabled"
    elif refused == "enabled":
        yield "thinking:enabled=adaptive"
        # Models that take no budget show no thoughts unasked.
        yield "thinking:display=summarized"
    elif "between_tools" in said:
        yield f"thinking:{refused}=between_tools"
    else:
        yield f"thinking:{refused}=adaptive"


def thinking_of_types(refusal: Refusal) -> Iterator[str]:
    """A type that exists, where others are known there."""
    sent = word(inner(refusal.sent, "thinking"), "type")
    known = set(re.findall(r"[a-z_]+", refusal.match["known"].lower())) & _TYPES
    if sent not in _TYPES or sent in known:
        return
    other = "adaptive" if "adaptive" in known else "enabled"
    if other in known and {sent, other} != {"disabled", "enabled"}:
        yield f"thinking:{sent}={other}"
        if sent == "enabled":
            yield "thinking:display=summarized"


def thinking_untyped(refusal: Refusal) -> Iterator[str]:
    thinking = inner(refusal.sent, "thinking")
    if "type" not in thinking and isinstance(thinking.get("budget_tokens"), int):
        yield "thinking:untyped=enabled"


def effort_while_off(refusal: Refusal) -> Iterator[str]:
    below = efforts_below(refusal.match["value"].lower())
    if _effort(refusal):
        yield f"effort:thinking_off={','.join(below) or 'out'}"


def efforts(refusal: Refusal) -> Iterator[str]:
    said = re.findall(r"[a-z]+", refusal.match["values"].lower())
    allowed = [level for level in LEVELS if level in said]
    if allowed and _effort(refusal):
        yield f"effort:allowed={','.join(allowed)}"


def not_this_effort(refusal: Refusal) -> Iterator[str]:
    """All but this one, of those that are not known to be refused."""
    found = refusal.match.groupdict()
    refused = (found.get("value") or found.get("other") or "").lower()
    known = refusal.known.value("effort", "allowed")
    allowed = known.split(",") if known else list(LEVELS[1:])
    left = [level for level in allowed if level != refused]
    if _effort(refusal) and refused in allowed and left:
        yield f"effort:allowed={','.join(left)}"


def no_effort(refusal: Refusal) -> Iterator[str]:
    if _effort(refusal):
        yield "effort:out"


def no_forced_tool(refusal: Refusal) -> Iterator[str]:
    if _is_forced(refusal):
        yield "tool_choice:forced=auto"


def forced_while_thinking(refusal: Refusal) -> Iterable[str]:
    """Thinking goes off beside a forced tool; where that did not help, the choice does."""
    if not _is_forced(refusal):
        return ()
    kind = word(inner(refusal.sent, "thinking"), "type")
    if kind == "disabled":
        return ("tool_choice:forced=auto",)
    if kind == "enabled":
        return ("thinking:enabled_off=forced_tool",)
    if kind:
        return ("thinking:off=forced_tool",)
    return ("thinking:off=forced_tool", "thinking:default=on")


def sampling_deprecated(refusal: Refusal) -> Iterator[str]:
    """Models without one of them have none of them."""
    for name in sorted(SHAPE.sampling):
        if name in refusal.sent:
            yield f"sampling:{name}"


def sampling_while_thinking(refusal: Refusal) -> Iterator[str]:
    asked = {n: refusal.sent[n] for n in SHAPE.sampling & refusal.sent.keys()}
    if asked and not any(is_off(name, value) for name, value in asked.items()):
        yield "sampling:thinking=limited"
        if not inner(refusal.sent, "thinking"):
            yield "thinking:default=on"


def prefill(refusal: Refusal) -> Iterator[str]:
    if roles(refusal.sent.get("messages"))[-1:] == ["assistant"]:
        yield "role:last=user"


def unreadable_thoughts(refusal: Refusal) -> Iterator[str]:
    """Whoever checks signatures takes no thoughts without one, ever; signed ones go, one and
    all, in this conversation."""
    if _has_unsigned(refusal.sent):
        yield "reasoning:unsigned=out"
    elif block_types(refusal.sent) & THOUGHTS:
        yield "state:thinking=out"


def _has_unsigned(sent: Json) -> bool:
    return any(
        word(block, "type") == "thinking" and not word(block, "signature")
        for message in dicts(sent.get("messages"))
        for block in dicts(message.get("content"))
    )


def bound_thoughts(refusal: Refusal) -> Iterable[str]:
    """Dropped by the provider; where that is not taken, left out."""
    if not block_types(refusal.sent) & THOUGHTS:
        return ()
    if refusal.known.value("state", "block_binding") is not None:
        return ("state:thinking=out",)
    return ("state:block_binding=drop_block",)


def system_inside(refusal: Refusal) -> Iterator[str]:
    """Up, where the refusal says so; else into the turn of the user, in its place."""
    if {"system", "developer"} & set(roles(refusal.sent.get("messages"))):
        said = refusal.match.string.lower()
        up = "top-level" in said or "at the beginning" in said
        yield f"role:system={'first' if up else 'user'}"


def system_in_place(refusal: Refusal) -> Iterator[str]:
    if "system" in roles(refusal.sent.get("messages")):
        yield "role:system=user"


def tool_types(refusal: Refusal) -> Iterator[str]:
    """Of those that are named, the ones that were sent."""
    named = re.findall(r"\w+", refusal.match["types"].lower())
    for kind in sorted(served_types(refusal.sent.get("tools"))):
        if kind.lower() in named:
            yield f"tool_type:{kind}=out"


def unread_tag(refusal: Refusal) -> Iterator[str]:
    """A tool or a block of a type that is not known there."""
    tag = refusal.match["tag"].lower()
    for kind in sorted(served_types(refusal.sent.get("tools"))):
        if kind.lower() == tag:
            yield f"tool_type:{kind}=out"
            return
    yield from _unread_block(refusal, tag)


def unread_block(refusal: Refusal) -> Iterator[str]:
    found = refusal.match.groupdict()
    tag = found["tag"] or found.get("other") or ""
    yield from _unread_block(refusal, tag.lower())


def _unread_block(refusal: Refusal, tag: str) -> Iterator[str]:
    if tag in ("text", "tool_use") or not _may_stand(refusal.sent, tag):
        return
    if tag == "redacted_thinking":
        plain = refusal.known.value("reasoning", "as") is None
        yield "reasoning:as=plain" if plain else "block:redacted_thinking=out"
    elif tag == "thinking":
        yield "reasoning:out"
    elif tag in _NO_TEXT:
        yield f"block:{tag}=unfit"
    else:
        # One that is not everybody's teaches its whole kind.
        yield f"block:{tag}=text"
        yield f"block:*={_EVERYBODYS}"


def _may_stand(sent: Json, tag: str) -> bool:
    """A block of this type stands there, and is none that the client made up: those of users
    are documented, those of an assistant some provider wrote."""
    if tag not in block_types(sent):
        return False
    if _USERS.fullmatch(tag):
        return True
    return any(
        tag in types_in(message.get("content"))
        for message in dicts(sent.get("messages"))
        if word(message, "role") == "assistant"
    )


def server_blocks(refusal: Refusal) -> Iterator[str]:
    others = block_types(refusal.sent) - set(_EVERYBODYS.split(","))
    if others:
        yield f"block:*={_EVERYBODYS}"


def server_tools(refusal: Refusal) -> Iterator[str]:
    """Tools without a schema are the provider's own."""
    for tool in dicts(refusal.sent.get("tools")):
        if word(tool, "type") not in ("", "custom", "function"):
            yield "tool_type:server=out"
            return
    for tool in dicts(refusal.sent.get("tools")):
        if not tool.get("input_schema"):
            yield "tools:parameters"
            return


def shorthand(refusal: Refusal) -> Iterator[str]:
    kinds = types_in(refusal.sent.get("tools"))
    if any(kind.startswith("tool_search_tool_") for kind in kinds):
        yield "tool_type:tool_search_tool_*=out"
        yield "tool:defer_loading"
    elif kinds - {"custom", "function"}:
        yield "tool_type:server=out"


def thoughts_wanted(refusal: Refusal) -> Iterator[str]:
    if _calls_without_thoughts(refusal):
        yield "reasoning:wanted=thinking"
        yield "reasoning:as=plain"


def thoughts_pending(refusal: Refusal) -> Iterator[str]:
    if word(inner(refusal.sent, "thinking"), "type") == "enabled":
        yield "thinking:pending_lost=off"


def cache_member(refusal: Refusal) -> Iterator[str]:
    yield f"cache_control:{refusal.match['name'] or refusal.match['other'] or '*'}"


def betas(refusal: Refusal) -> Iterator[str]:
    """Those that are named, or all of them."""
    named = re.findall(r"[\w.-]+-\d{4}-\d\d-\d\d|[\w.-]+", refusal.match["names"] or "")
    for name in [name for name in named if "-" in name][:16]:
        yield f"beta:{name.lower()}"
    if not named:
        yield "beta:*"


def call_inputs(refusal: Refusal) -> Iterator[str]:
    for message in dicts(refusal.sent.get("messages")):
        for block in dicts(message.get("content")):
            if block.get("type") == "tool_use" and not isinstance(
                block.get("input"), dict
            ):
                yield "call:input=object"
                return


def id_pattern(refusal: Refusal) -> Iterator[str]:
    pattern = re.compile(refusal.match["pattern"])
    ids = [
        word(block, "id") or word(block, "tool_use_id")
        for message in dicts(refusal.sent.get("messages"))
        for block in dicts(message.get("content"))
    ]
    if not all(map(pattern.fullmatch, filter(None, ids))):
        yield f"id:call={refusal.match['pattern']}"


def image_source(refusal: Refusal) -> Iterator[str]:
    yield f"source:{refusal.match['kind'].lower()}=unfit"


def _calls_without_thoughts(refusal: Refusal) -> bool:
    for message in dicts(refusal.sent.get("messages")):
        blocks = list(dicts(message.get("content")))
        thoughts = [
            b for b in blocks if b.get("type") == "thinking" and b.get("thinking")
        ]
        if "tool_use" in types_in(blocks) and not thoughts:
            return True
    return False


def _effort(refusal: Refusal) -> bool:
    """A level was asked for that somebody takes."""
    return word(inner(refusal.sent, "output_config"), "effort") in LEVELS


def _is_forced(refusal: Refusal) -> bool:
    return word(inner(refusal.sent, "tool_choice"), "type") in ("any", "tool")

"""What refusals of Responses teach where a template is not enough. Pure.

Each function reads the match and the body that was sent, and gives quirks as text; none,
where a resend would not differ or the client's own value is at fault.
"""

import re
from collections.abc import Iterable, Iterator

from llm_gateway.adaptation.refused_member import Shape, nested
from llm_gateway.adaptation.sent_body import (
    dicts,
    inner,
    roles,
    served_types,
    types_in,
    word,
)
from llm_gateway.adaptation.wording import Refusal
from llm_gateway.dialects.efforts import LEVELS

SHAPE = Shape(
    turns="input",
    top=frozenset(
        {
            *("store", "include", "metadata", "user", "service_tier", "truncation"),
            *("prompt_cache_key", "prompt_cache_retention", "safety_identifier"),
            *("parallel_tool_calls", "max_tool_calls", "stream_options", "reasoning"),
            *("client_metadata", "context_management", "stop", "text", "top_logprobs"),
            *("moderation", "prompt_cache_options", "max_output_tokens"),
        }
    ),
    turn_core=frozenset(
        {"type", "role", "content", "call_id", "name", "arguments", "output", "input"}
    ),
    turn=frozenset(
        {
            *("phase", "namespace", "caller", "status", "id", "encrypted_content"),
            *("summary", "internal_chat_message_metadata_passthrough", "metadata"),
        }
    ),
    calls="",
    call_core=frozenset(),
    tool=frozenset(
        {
            *("strict", "defer_loading", "output_schema", "external_web_access"),
            *("search_context_size", "allowed_callers", "format", "filters"),
        }
    ),
    part=frozenset({"annotations", "logprobs", "detail"}),
    renames={},
    sampling=frozenset({"temperature", "top_p"}),
    nested=frozenset({"text.verbosity", "reasoning.summary", "reasoning.context"}),
)
"""Of Responses, as clients and providers write them."""

NEEDED = frozenset({"previous_response_id", "conversation", "prompt", "background"})
"""Members without which the request is another one."""
ITEMS = "item:*=message,function_call,function_call_output"
WITH_REASONING = f"{ITEMS},reasoning"
"""Items that everybody knows, and reasoning, which most read."""
FORMS = (
    "tool_type:custom=function",
    "tool_type:namespace=flat",
    "tool_type:additional_tools=lifted",
)
"""Whoever does not know one of the forms that Codex writes knows none of them."""
_FORMS = frozenset({"custom", "namespace", "additional_tools"})
_SERVER = "tool_type:*=function"
_NO_TEXT = frozenset({"input_image", "input_file", "input_audio"})


def efforts(refusal: Refusal) -> Iterator[str]:
    """Of the effort; a value of another member, which `param` names, is left out."""
    param = refusal.error.param
    if param and "effort" not in param:
        yield from nested(SHAPE, refusal, param)
        return
    said = re.findall(r"[a-z]+", refusal.match["values"].lower())
    allowed = [level for level in LEVELS if level in said]
    if allowed and word(inner(refusal.sent, "reasoning"), "effort") in LEVELS:
        yield f"effort:allowed={','.join(allowed)}"


def no_reasoning(refusal: Refusal) -> Iterator[str]:
    if "reasoning" in refusal.sent:
        yield "member:reasoning"


def sampling(refusal: Refusal) -> Iterator[str]:
    """Refused beside an effort, it may still be taken without one."""
    name = refusal.match["name"].lower()
    if name not in refusal.sent:
        return
    level = inner(refusal.sent, "reasoning").get("effort")
    first = refusal.known.value("sampling", name) is None
    if first and isinstance(level, str) and level != "none":
        yield f"sampling:{name}=no_effort"
    else:
        yield f"sampling:{name}"


def reasoning_alone(refusal: Refusal) -> Iterable[str]:
    """Reasoning that nothing follows goes; where that did not help, all of it."""
    if "reasoning" not in types_in(refusal.sent.get("input")):
        return ()
    if refusal.known.value("state", "followed") is None:
        return ("state:followed=whole",)
    return ("state:reasoning=out",)


def ids_out(refusal: Refusal) -> Iterator[str]:
    """What is looked for behind an id is not there: the items go without."""
    if any("id" in item for item in dicts(refusal.sent.get("input"))):
        yield "state:ids=out"


def not_stored(refusal: Refusal) -> Iterator[str]:
    items = list(dicts(refusal.sent.get("input")))
    if "item_reference" in types_in(items):
        return  # the client's, who names what it never stored
    yield from ids_out(refusal)
    if any(
        item.get("type") == "reasoning" and not item.get("encrypted_content")
        for item in items
    ):
        yield "state:reasoning=out"


def unreadable(refusal: Refusal) -> Iterator[str]:
    """Encrypted reasoning of another issuer; what is compacted cannot go. Whoever decrypts
    reasoning reads none in plain text, ever."""
    items = list(dicts(refusal.sent.get("input")))
    sealed = [item for item in items if item.get("encrypted_content")]
    kinds = types_in(sealed)
    whole = refusal.sent.get("store") is False
    open_ = [
        item
        for item in items
        if not item.get("encrypted_content") and (whole or item.get("content"))
    ]
    if "reasoning" in types_in(open_):
        yield "reasoning:unsigned=out"
    elif "reasoning" in kinds or (not kinds and "reasoning" in types_in(items)):
        yield "state:reasoning=out"
    elif kinds:
        yield "state:compaction=unfit"


def thoughts_wanted(refusal: Refusal) -> Iterator[str]:
    """Beside calls, in plain text."""
    if {"function_call", "custom_tool_call"} & types_in(refusal.sent.get("input")):
        yield "reasoning:wanted=reasoning"


def item_id(refusal: Refusal) -> Iterable[str]:
    if refusal.known.value("id", "item") is None:
        return ("id:item=prefix",)
    return ("id:item=out",)


def too_long(refusal: Refusal) -> Iterator[str]:
    name, most = refusal.match["name"].lower(), refusal.match["most"]
    if name == "call_id":
        yield f"id:call=.{{1,{most}}}"
    elif name == "id":
        yield "id:item=out"
    elif isinstance(refusal.sent.get(name), str):
        yield f"id:{name}=.{{1,{most}}}"


def least_output(refusal: Refusal) -> Iterator[str]:
    least, asked = int(refusal.match["least"]), refusal.sent.get("max_output_tokens")
    if isinstance(asked, int) and 0 < asked < least:
        yield f"limit:max_output_tokens>={least}"


def most_output(refusal: Refusal) -> Iterator[str]:
    found = refusal.match.groupdict()
    most = int(found["most"]) - (1 if found.get("exclusive") else 0)
    asked = refusal.sent.get("max_output_tokens")
    if isinstance(asked, int | float) and 0 < most < asked:
        yield f"limit:max_output_tokens<={most}"


def parts_of_assistant(refusal: Refusal) -> Iterator[str]:
    if "assistant" in roles(refusal.sent.get("input")):
        yield "content:assistant=output_text"


def unread_variant(refusal: Refusal) -> Iterator[str]:
    """A tool, an item or a part of a type that is not known, perhaps with those that are."""
    tag = refusal.match["tag"].lower()
    listed = re.findall(r"[`'\"]([\w:.-]{1,60})[`'\"]", refusal.match["known"] or "")
    if tag in _tool_types(refusal):
        if listed and set(listed) & {"function"}:
            yield f"tool_type:*={','.join(listed)}"
        else:
            yield from _tool(tag)
    elif tag in types_in(refusal.sent.get("input")):
        yield from _item(tag)
    else:
        yield from _part(refusal, tag)


def unread_item(refusal: Refusal) -> Iterable[str]:
    found = refusal.match.groupdict()
    return _item((found.get("tag") or "").lower())


def odd_items(refusal: Refusal) -> Iterable[str]:
    """Some item, it does not say which: first what few read, then reasoning, too."""
    items = refusal.sent.get("input")
    if not isinstance(items, list) or any(map(_is_no_item, items)):
        return ()
    if refusal.known.value("item", "*") is None:
        return (*FORMS, WITH_REASONING, "content:null", "message:*")
    return (ITEMS,)


def _is_no_item(item: object) -> bool:
    """Nobody's: neither a turn nor of any type, or a turn under another type's name."""
    if not isinstance(item, dict):
        return True
    kind = word(item, "type")
    return kind not in ("", "message") if "role" in item else not kind


def odd_request(refusal: Refusal) -> Iterable[str]:
    """Something, it does not say what: first the tools, then the items."""
    if refusal.known.value("tool_type", "*") is None and refusal.sent.get("tools"):
        return (*FORMS, _SERVER, "content:null")
    return odd_items(refusal)


def unread_tool(refusal: Refusal) -> Iterator[str]:
    found = refusal.match.groupdict()
    tag = (found.get("tag") or found.get("other") or "").lower()
    kinds = _tool_types(refusal)
    if tag in kinds:
        yield from _tool(tag)
    elif kinds - {"function"}:
        yield _SERVER


def unread_tool_type(refusal: Refusal) -> Iterator[str]:
    """The place is named, not the type; perhaps with its number."""
    at = re.search(r"\btools[.\[](\d{1,4})", refusal.match[0])
    tools = refusal.sent.get("tools")
    if at and isinstance(tools, list):
        tools = tools[int(at[1]) :][:1] or tools
    if types_in(tools) & _FORMS or served_types(tools):
        yield _SERVER


def no_strict(refusal: Refusal) -> Iterator[str]:
    tools = dicts(refusal.sent.get("tools"))
    # Strict is tried where nothing is said of it; who asks for it means it.
    if any(tool.get("strict") is None for tool in tools):
        yield "tools:strict=false"


def namespace_wanted(refusal: Refusal) -> Iterator[str]:
    if "namespace" in types_in(refusal.sent.get("tools")):
        yield "call:namespace=wanted"


def needed_member(refusal: Refusal) -> Iterable[str]:
    """Members that bind to a state that is not kept there; others as in any words."""
    name = refusal.match["name"].lower()
    if name in NEEDED and refusal.sent.get(name) not in (None, False):
        return (f"member:{name}=unfit",)
    return ()


def no_store(refusal: Refusal) -> Iterable[str]:
    if refusal.sent.get("store") is None:
        return ("member:store=false",)
    if refusal.sent.get("store") is False:
        return ("member:store",)
    return ("member:store=false",)


def developer(refusal: Refusal) -> Iterator[str]:
    if "developer" in roles(refusal.sent.get("input")):
        yield "role:developer=system"


def no_files(refusal: Refusal) -> Iterator[str]:
    yield from _part(refusal, "input_file")


def most_tools(refusal: Refusal) -> Iterator[str]:
    tools = refusal.sent.get("tools")
    most = int(next((group for group in refusal.match.groups() if group), "0"))
    if isinstance(tools, list) and len(tools) > most > 0:
        yield f"limit:tools<={most}"


def _tool_types(refusal: Refusal) -> frozenset[str]:
    found = set(types_in(refusal.sent.get("tools")))
    for item in dicts(refusal.sent.get("input")):
        if word(item, "type") == "additional_tools":
            found |= types_in(item.get("tools"))
    return frozenset(found)


def _tool(tag: str) -> Iterator[str]:
    if tag in _FORMS:
        yield from FORMS
    elif tag != "function":
        yield f"tool_type:{tag}=out"


def _item(tag: str) -> Iterator[str]:
    """An extra item teaches its whole kind: from then on only what everybody knows."""
    if tag in ("message", "function_call", "function_call_output"):
        return
    yield from FORMS
    yield ITEMS if tag == "reasoning" else WITH_REASONING


def _part(refusal: Refusal, tag: str) -> Iterator[str]:
    for item in dicts(refusal.sent.get("input")):
        if tag in types_in(item.get("content")) and tag in _NO_TEXT:
            yield f"block:{tag}=unfit"
            return
        if tag in types_in(item.get("output")):
            yield "content:output=text"
            return

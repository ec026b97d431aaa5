"""Refused members: finds what a refusal names in the body that was sent, and says its quirk.

    messages[2].reasoning_content                   message:reasoning_content, message:*
    body.messages.1.assistant.tool_calls.0.index    call:index, call:*
    tools.0.function.strict                         tool:strict
    tools[0].function_declarations[0].parameters, $schema    schema:$schema
    /messages/1/content/0/cache_control             part:cache_control
    stream_options                                  member:stream_options
    max_tokens                                      rename:max_tokens=max_completion_tokens
    temperature                                     sampling:temperature

Only what stands there is taught, so that a resend always differs from what was refused. One
extra member of a message or call teaches its whole kind. What is in no table of its `Shape`
is the client's own mistake; members of assistant turns are not, since providers write them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import inf
from typing import NamedTuple

from llm_gateway.adaptation.sent_body import dicts
from llm_gateway.adaptation.wording import NEEDED, Refusal

MOST_NAMED = 16
"""Members of one refusal that are looked at."""
_TOKEN = re.compile(r"[\w$-]+")
_PLACE = re.compile(r"[\w.\[\]/$-]+")
WANTED_BACK = re.compile(
    r"must\s+be\s+(?:passed\s+back|included|provided|present)|(?:is|are)\s+(?:missing|required)",
    re.IGNORECASE,
)
"""Words of a provider that wants a member, not of one that refuses it."""
_PARTS = frozenset({"body", "request", "content", "tools", "role"})
"""What a path leads through, and no member that somebody could leave out."""
_SCHEMAS = frozenset({"parameters", "input_schema", "schema"})
SCHEMA_WORDS = frozenset(
    {
        *("$schema", "$id", "$comment", "$defs", "$ref", "additionalproperties"),
        *("default", "examples", "title", "format", "pattern", "const", "readonly"),
        *("writeonly", "deprecated", "nullable", "minlength", "maxlength", "minimum"),
        *("maximum", "exclusiveminimum", "exclusivemaximum", "multipleof", "minitems"),
        *("maxitems", "uniqueitems", "minproperties", "maxproperties", "strict"),
        *("patternproperties", "propertynames", "contentencoding", "contentmediatype"),
        *("if", "then", "else", "not", "dependentrequired", "unevaluatedproperties"),
    }
) - {"$ref", "$defs"}
"""Words of JSON schema, in lower case, without which a schema means nearly the same."""

_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_k": (-1, inf),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (0, inf),
    "max_tokens": (1, inf),
    "max_completion_tokens": (1, inf),
    "max_output_tokens": (1, inf),
    "top_logprobs": (0, inf),
}
"""Members whose value is a number: the least and the largest that anybody takes."""


class Shape(NamedTuple):
    """Where a dialect keeps what, and what of it may be left out."""

    turns: str
    """Top-level member that holds the history."""
    top: frozenset[str]
    """Optional members of the top level that some provider answers or documents."""
    turn_core: frozenset[str]
    """Of a turn: stays, whatever a provider says."""
    turn: frozenset[str]
    """Of turns of users and tools: may be left out."""
    calls: str
    """Member of a turn that holds its calls; "": calls are turns or parts themselves."""
    call_core: frozenset[str]
    tool: frozenset[str]
    """Of declared tools: may be left out."""
    part: frozenset[str]
    """Of parts of a content: may be left out."""
    renames: Mapping[str, str]
    """Top-level members that mean the same, of which some providers know only one."""
    sampling: frozenset[str]
    nested: frozenset[str] = frozenset()
    """Members of members of the top level that may be left out: `text.verbosity`."""


def left_out(shape: Shape, refusal: Refusal) -> Iterator[str]:
    """Quirks for every member that the refusal's pattern finds: its groups are `name`, or
    `names` with commas between them, and `at`, the place that holds it."""
    match = refusal.match
    if WANTED_BACK.search(match.string):
        return
    for found in islice(match.re.finditer(match.string), MOST_NAMED):
        groups = found.groupdict()
        at = _TOKEN.findall(groups.get("at") or "")
        for piece in (groups.get("names") or groups.get("name") or "").split(","):
            first = _PLACE.search(piece)
            path = _TOKEN.findall(first[0]) if first else []
            if path:
                yield from named(
                    shape, refusal, path if len(path) > 1 else [*at, *path]
                )


def listed(shape: Shape, refusal: Refusal) -> Iterator[str]:
    """The same where `name` is a `loc` as JSON: a list whose commas part one path."""
    match = refusal.match
    for found in islice(match.re.finditer(match.string), MOST_NAMED):
        yield from named(shape, refusal, _TOKEN.findall(found["name"]))


def named(shape: Shape, refusal: Refusal, path: list[str]) -> Iterable[str]:
    """Quirks for the member at this path, or for what holds it; a single word is looked for
    everywhere."""
    *above, name = [token for token in path if not token.isdigit()] or [""]
    index = next((int(token) for token in path if token.isdecimal()), -1)
    places = frozenset(token.lower() for token in above)
    # `cache_control.ttl`: the whole of it goes where the inner one is not known.
    outwards = [name, *(each for each in reversed(above) if each not in _PARTS)]
    if shape.calls and shape.calls in places:
        return _first(of_calls(shape, refusal, each) for each in outwards)
    if shape.turns in places:
        if "content" in places:
            return _first(_of_parts(shape, refusal, each) for each in outwards)
        return _first(of_turns(shape, refusal, each, index) for each in outwards)
    if "tools" in places:
        if places & _SCHEMAS:
            return _of_schemas(refusal, name)
        return _first(_of_tools(shape, refusal, each) for each in outwards)
    if places - {"body", "request"}:
        # Below a member of the top: `reasoning.effort`, `thinking.type`.
        return nested(shape, refusal, ".".join([*above, name]))
    if _spelled(name, refusal.sent) is not None:
        return _of_top(shape, refusal, name)
    return (
        of_turns(shape, refusal, name)
        or of_calls(shape, refusal, name)
        or _of_tools(shape, refusal, name)
        or _of_parts(shape, refusal, name)
    )


def _first(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return next((quirks for quirks in found if quirks), ())


def nested(shape: Shape, refusal: Refusal, path: str) -> tuple[str, ...]:
    """A member of a member: `text.verbosity`."""
    path = path.lower().removeprefix("body.").removeprefix("request.")
    top, _, name = path.partition(".")
    holder = refusal.sent.get(top)
    if path in shape.nested and isinstance(holder, dict) and name in holder:
        return (f"member:{path}",)
    return ()


def extras_at(shape: Shape, refusal: Refusal) -> Iterator[str]:
    """Something at the place `at` is not known, and nobody says what: only the core goes."""
    places = {t.lower() for t in _TOKEN.findall(refusal.match["at"])}
    if shape.calls and shape.calls in places:
        yield "call:*"
    elif shape.turns in places:
        yield "message:*"
    elif "tools" in places and not places & _SCHEMAS:
        yield "tool:*"


def _of_top(shape: Shape, refusal: Refusal, name: str) -> tuple[str, ...]:
    key = _spelled(name, refusal.sent)
    if key is None or key in NEEDED or is_off(key, refusal.sent[key]):
        return ()
    if key in shape.sampling:
        return _sampling(refusal, key)
    if key == "tool_choice":
        return ("tool_choice:forced=out",)
    if key not in shape.top:
        return ()
    other = shape.renames.get(key)
    if other is None or other in refusal.sent:
        return (f"member:{key}",)
    return (f"rename:{key}={other}",)


def is_off(key: str, value: object) -> bool:
    """A value that nobody takes: whoever refuses it may well take the member."""
    if key not in _NUMBERS or value is None:
        return False
    least, most = _NUMBERS[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return not least <= value <= most


def _sampling(refusal: Refusal, key: str) -> tuple[str, ...]:
    """Refused beside an effort, it may still be taken without one."""
    effort = refusal.sent.get("reasoning_effort")
    first = isinstance(effort, str) and effort != "none"
    if first and refusal.known.value("sampling", key) is None:
        return (f"sampling:{key}=no_effort",)
    return (f"sampling:{key}",)


def of_turns(
    shape: Shape, refusal: Refusal, name: str, index: int = -1
) -> tuple[str, ...]:
    """Of the turn that is named, where it stands there; else of any."""
    turns = list(dicts(refusal.sent.get(shape.turns)))
    if 0 <= index < len(turns) and _spelled(name, turns[index]) is not None:
        turns = turns[index : index + 1]
    for turn in turns:
        key = _spelled(name, turn)
        if key is None:
            continue
        if key == "name" and key in shape.turn_core:
            return ("message:name",)
        written = turn.get("role") == "assistant" or key in shape.turn
        if key in shape.turn_core or not written:
            continue
        if refusal.known.value("reasoning", "as") == key:
            return ("reasoning:out",)
        if refusal.known.value("reasoning", "wanted") == key:
            return ()
        return (f"message:{key}", "message:*")
    return ()


def of_calls(shape: Shape, refusal: Refusal, name: str) -> tuple[str, ...]:
    if not shape.calls or name in shape.call_core:
        return ()
    for turn in dicts(refusal.sent.get(shape.turns)):
        for call in dicts(turn.get(shape.calls)):
            function = call.get("function")
            for holder in (call, function if isinstance(function, dict) else {}):
                key = _spelled(name, holder)
                if key is not None and key not in shape.call_core:
                    return (f"call:{key}", "call:*")
    return ()


def _of_tools(shape: Shape, refusal: Refusal, name: str) -> tuple[str, ...]:
    for tool in dicts(refusal.sent.get("tools")):
        function = tool.get("function")
        for holder in (tool, function if isinstance(function, dict) else {}):
            key = _spelled(name, holder)
            if key is not None and key in shape.tool:
                return (f"tool:{key}",)
    return ()


def _of_parts(shape: Shape, refusal: Refusal, name: str) -> tuple[str, ...]:
    for turn in dicts(refusal.sent.get(shape.turns)):
        for part in dicts(turn.get("content")):
            key = _spelled(name, part)
            if key is not None and key in shape.part:
                return (f"part:{key}",)
    return ()


def _of_schemas(refusal: Refusal, name: str) -> tuple[str, ...]:
    if name.lower() not in SCHEMA_WORDS:
        return ()
    key = _word_in(refusal.sent.get("tools"), name.lower())
    return (f"schema:{key}",) if key else ()


def _word_in(value: object, name: str, depth: int = 40) -> str:
    """How a word of a schema is spelled there; "": it does not stand there."""
    if depth and isinstance(value, dict):
        key = _spelled(name, value)
        return key or next(
            (w for v in value.values() if (w := _word_in(v, name, depth - 1))), ""
        )
    if depth and isinstance(value, list):
        return next((w for v in value if (w := _word_in(v, name, depth - 1))), "")
    return ""


def _spelled(name: str, holder: Mapping[str, object]) -> str | None:
    """A member by its name, however the refusal spells it: in lower case, or in camel case
    (`presencePenalty`) as some servers have it inside."""
    if name in holder:
        return name
    plain = name.lower().replace("_", "")
    return next((key for key in holder if key.lower().replace("_", "") == plain), None)

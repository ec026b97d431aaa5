"""Quirks: in what a provider's model differs from its dialect, as frozen values with a text form.

One vocabulary for the columns of provider rows, for what refusals teach, for adapters of
native requests and for the writers of translation. A quirk is `kind:name` or
`kind:name=value`; that text is what the ledger keeps, pages show and `x-gateway-adapted`
is made from.

    member:store                    a top-level member is left out
    message:reasoning_content       … of messages; `message:*`: all but the dialect's core
    call:index                      … of calls in history; `call:*` likewise
    part:cache_control              … of parts of a content; `part:*` likewise
    tool:strict                     … of declared functions
    rename:max_tokens=max_completion_tokens
    role:developer=system           a role is called otherwise
    role:system=first               only at the start; `one`: one message; `user`: as a user's text
    role:assistant=after_tool       an assistant turn stands between a tool's and a user's
    role:last=user                  nothing follows the last user (or tool) turn; `prefix`: but a
                                    beginning of the answer that is marked as one
    role:same=merged                two turns of a role are one
    role:user=wanted                at least one turn is a user's
    content:text                    lists of text parts as one string
    content:null                    no null and no absent content: ""
    content:empty                   turns without content are left out
    content:images                  with images a request is unfit
    id:call=[a-zA-Z0-9]{9}          the pattern that call ids have to match
    reasoning:out                   thoughts of earlier turns are left out
    reasoning:as=reasoning_content  … are called so
    reasoning:wanted=reasoning_content    … have to come back beside calls
    reasoning:tag=think             thoughts stand in front of its answers' text in this tag
    signature:google                a signature on the first call of a turn
    tool_choice:forced=auto         with an instruction; `string`, `out`
    tools:parameters                each tool has them; `one_strict`, `single` (calls one by one)
    tools:properties                … and no object is without properties
    tools:arguments                 of calls in history: a JSON object
    schema:$schema                  a word of JSON schema is left out
    format:json_schema=json_object  JSON output, the schema as an instruction
    effort:allowed=low,medium,high  the nearest of these
    thinking:off=forced_tool        the switch is off beside a forced tool
    thinking:form=type              how it is written where none is there; `enable_thinking`,
                                    `level`
    thinking:plain=off              the switch is off unless streamed
    sampling:temperature            left out; `=1`: this value alone; `=no_effort`: unless no
                                    effort is asked for; `=with_none`: but with an explicit none
    limit:max_tokens<=8192          lowered to it; `limit:max_output_tokens>=16`: raised
    endpoint:tools_with_effort=responses  not served here, but there

Messages and Responses, besides (of a list of values, `*` at the end of one stands for the rest):

    member:text.verbosity           a member of a member at the top
    member:*=metadata,top_k         all top-level members but the dialect's core and these
    beta:fast-mode-*                a beta and its members are left out; `beta:*`: all of
                                    them; `beta:*=a,b`: all but these
    cache_control:scope             a member of every `cache_control`; `*`: the whole of it
    block:tool_reference=text       a content block becomes a line of text; `out`; `unfit`
    block:*=text,image              blocks of other types become text, or are unfit
    source:url=unfit                where images and documents come from
    item:reasoning                  items of a type are left out; `unfit`: they are needed
    item:*=message,function_call    items of other types are left out
    tool_type:server=out            tools that the provider would have to run
    tool_type:custom=function       a freeform tool as a function with one string
    tool_type:namespace=flat        its tools as functions with a longer name
    tool_type:additional_tools=lifted    a list of tools in the input, among `tools`
    tool_type:memory_*=out          declared tools of a type
    tool_choice:none=no_tools       said by leaving the tools out
    thinking:enabled=adaptive       a thinking type becomes another; `out`: the switch goes
    thinking:untyped=enabled        a budget without a type
    thinking:default=on             it thinks unless it is told not to
    thinking:enabled_off=forced_tool    as `off`, for manual thinking alone
    thinking:pending_lost=off       manual thinking, and the open tool turn has no thoughts
    thinking:display=summarized     for a budget, where thoughts are not shown unasked
    effort:out                      no effort; `effort:thinking_off=low,high`: of these
                                    while it does not think; `=out`: none
    sampling:top_p=alone            left out beside a temperature
    sampling:thinking=limited       only what goes with thoughts while it thinks
    role:last_thinking=user         as `last`, while it thinks
    reasoning:as=plain              thoughts are plain text: foreign signatures go
    reasoning:unsigned=out          thoughts without a signature, or not encrypted
    id:item=prefix                  ids of items begin as their type's do, or are left out;
                                    `out`: none goes back
    tools:paired                    calls meet results right behind them, or go
    tools:batched                   nothing stands between calls and their outputs
    tools:strict=false              no function is strict
    call:input=object               inputs of calls are objects
    call:namespace=wanted           of calls to tools that are declared in one
    limit:tools<=128                more are unfit
    state:thinking=out              of one conversation: its thinking blocks are left out
    state:reasoning=out             … : encrypted reasoning and what hangs on it
    state:block_binding=drop_block  … : the provider drops blocks that do not fit
    state:calls=whole               … : orphans among calls and outputs go
    state:followed=whole            … : reasoning that nothing follows goes
    state:ids=out                   … : no ids of items
    state:tools=unfit               … : it wrote a call as text there
    state:signature=ours            … : what signatures it sends are another model's
    state:compaction=unfit          … : what stands for its past cannot be read there

generateContent, besides:

    member:generationConfig.thinking_config    a member of it, in snake case
    limit:thinking_budget>=128      raised to it
    thinking:off=out                a budget of nothing is left out: it always thinks
    tool_type:server=alone          Google's own tools go where functions are declared
    tools:properties                functions without any go without parameters
    endpoint:tools_with_json        no tools beside an answer in JSON
"""

import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import NamedTuple

KINDS = frozenset(
    {
        *("member", "message", "call", "part", "tool", "rename", "role", "content"),
        *("id", "reasoning", "signature", "tool_choice", "tools", "schema", "effort"),
        *("thinking", "sampling", "limit", "endpoint", "format"),
        *("beta", "block", "cache_control", "item", "source", "state"),
        "tool_type",
    }
)
"""What there are quirks of; of other kinds nothing is learned."""

MOST = 64
"""Quirks that are learned of one provider; beyond, the one that helped least goes."""

_FORM = re.compile(r"([a-z_]+):([^=<>]{1,80})(?:(=|<=|>=)(.{1,400}))?")


class Quirk(NamedTuple):
    """One difference. Raises ValueError from `parse` for text that is none."""

    kind: str
    name: str
    value: str = ""
    sign: str = "="
    """Between name and value."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (self.value and self.sign + self.value)

    @classmethod
    def parse(cls, text: str) -> "Quirk":
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no quirk; write e.g. 'message:refusal'")
        kind, name, sign, value = found.groups()
        if kind not in KINDS:
            raise ValueError(f"{text!r} is no quirk: there are none of {kind!r}")
        return cls(kind, name, value or "", sign or "=")

    @property
    def is_of_conversation(self) -> bool:
        """It is about the history of one conversation: kept for that one, never for the
        provider or its model."""
        return self.kind == "state"


class Quirks:
    """Those of one provider, model and dialect; immutable. The newer of two that disagree
    (same kind, name and sign) wins."""

    __slots__ = ("_by",)

    def __init__(self, quirks: Iterable[Quirk] = ()) -> None:
        self._by = {(q.kind, q.name, q.sign): q for q in quirks}

    @classmethod
    def parse(cls, *texts: str) -> "Quirks":
        return cls(Quirk.parse(text) for text in texts)

    def __iter__(self) -> Iterator[Quirk]:
        return iter(self._by.values())

    def __len__(self) -> int:
        return len(self._by)

    def __or__(self, other: "Quirks") -> "Quirks":
        return Quirks([*self, *other]) if other else self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quirks) and self._by == other._by

    def __hash__(self) -> int:
        return hash(frozenset(self._by.values()))

    def __repr__(self) -> str:
        return f"Quirks.parse({', '.join(repr(str(q)) for q in self)})"

    def names(self, kind: str) -> frozenset[str]:
        return frozenset(q.name for q in self if q.kind == kind)

    def value(self, kind: str, name: str, sign: str = "=") -> str | None:
        """None: there is no such quirk."""
        found = self._by.get((kind, name, sign))
        return None if found is None else found.value


NO_QUIRKS = Quirks()


def number_of(text: str) -> int | float | None:
    """A quirk's value as a number of JSON; None: it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    if not isfinite(number):
        return None
    return int(number) if number.is_integer() else number

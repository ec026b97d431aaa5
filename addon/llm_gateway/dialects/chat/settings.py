"""Top-level settings of a chat request, as a provider takes them. Pure.

member:store                    left out
rename:max_tokens=max_completion_tokens
sampling:temperature            left out; `=1`: this value; `=no_effort`: unless no effort
                                is asked for; `=with_none`: but beside an explicit none;
                                `=alone`: beside no other; `sampling:*`: all of them
effort:allowed=low,high         the nearest of these
thinking:off=forced_tool        off beside a forced tool, by the switch that is there, or
                                in the form that `thinking:form` names
thinking:plain=off              off in requests that are not streamed
limit:max_tokens<=8192          lowered; `>=16`: raised; `plain_max_tokens`: unless streamed
limit:user<=64                  longer texts by a hash
"""

from hashlib import blake2b

from llm_gateway.adaptation.vocabulary import Quirks, number_of
from llm_gateway.dialects.chat.tools import is_forced
from llm_gateway.dialects.chat.turns import Notes, note
from llm_gateway.dialects.efforts import LEVELS

SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "presence_penalty"),
    *("frequency_penalty", "repetition_penalty", "logprobs", "top_logprobs"),
)
OUTPUT = ("max_tokens", "max_completion_tokens")
NEEDED = frozenset({"model", "messages", "tools"})
_SWITCHES = ("thinking", "enable_thinking", "chat_template_kwargs", "reasoning")

Values = dict[str, object]


def effort_in(values: Values) -> object:
    """The effort that a request asks for; None: it does not say."""
    effort = values.get("reasoning_effort")
    if effort is None and isinstance(said := values.get("reasoning"), dict):
        return said.get("effort")
    return effort


def adapt_settings(values: Values, quirks: Quirks, notes: Notes) -> None:
    """Changes the values in place; names stay the client's own until `renames`."""
    _thinking(values, quirks, notes)
    _effort(values, quirks, notes)
    _sampling(values, quirks, notes)
    _limits(values, quirks, notes)
    for name in sorted(quirks.names("member") & values.keys() - NEEDED):
        del values[name]
        note(notes, name)


def renames(values: Values, quirks: Quirks) -> dict[str, str]:
    """Old name -> new one. Of two that undo each other the newer holds."""
    newest: dict[str, str] = {}
    for quirk in quirks:
        if quirk.kind == "rename" and quirk.name not in NEEDED:
            if newest.get(quirk.value) == quirk.name:
                del newest[quirk.value]
            newest[quirk.name] = quirk.value
    return {old: new for old, new in newest.items() if old in values and old != new}


def _thinking(values: Values, quirks: Quirks, notes: Notes) -> None:
    form = quirks.value("thinking", "form")
    beside = quirks.value("thinking", "off") == "forced_tool"
    # A choice that is not sent as forced is beside nothing.
    stays = quirks.value("tool_choice", "forced") not in ("auto", "out")
    if beside and stays and is_forced(values.get("tool_choice")):
        _off(values, form, notes)
    plain = quirks.value("thinking", "plain") == "off"
    if plain and values.get("stream") is not True:
        _off(values, form or "enable_thinking", notes)


def _off(values: Values, form: str | None, notes: Notes) -> None:
    found = [name for name in _SWITCHES if name in values]
    if not found and form in ("type", "enable_thinking"):
        found = ["thinking" if form == "type" else "enable_thinking"]
    for name in found:
        old = values.get(name)
        new: object = False
        if name == "thinking":
            new = {"type": "disabled"}
        elif name == "reasoning":
            new = {"enabled": False}
        elif name == "chat_template_kwargs":
            if not isinstance(old, dict):
                continue
            switch = "thinking" if "thinking" in old else "enable_thinking"
            new = {**old, switch: False}
        if new != old:
            values[name] = new
            note(notes, "thinking", "off")
    if found and values.get("reasoning_effort") not in (None, "none"):
        del values["reasoning_effort"]
        note(notes, "reasoning_effort")


def _effort(values: Values, quirks: Quirks, notes: Notes) -> None:
    said = quirks.value("effort", "allowed")
    if not said:
        return
    allowed = said.split(",")
    if "reasoning_effort" in values:
        asked = values["reasoning_effort"]
        if asked is None:
            del values["reasoning_effort"]
            note(notes, "effort", "left to the model")
        elif asked not in allowed and asked in LEVELS:
            values["reasoning_effort"] = nearest(str(asked), allowed)
            note(notes, "effort", str(values["reasoning_effort"]))
    inner = values.get("reasoning")
    if isinstance(inner, dict):
        asked = inner.get("effort")
        if asked not in allowed and asked in LEVELS:
            effort = nearest(str(asked), allowed)
            values["reasoning"] = {**inner, "effort": effort}
            note(notes, "effort", effort)


def nearest(asked: str, allowed: list[str]) -> str:
    """Of two that are as near the lower; a word of its own stands for medium."""
    rank = {word: n for n, word in enumerate(LEVELS)}
    at = rank[asked]
    return min(allowed, key=lambda w: (abs(rank.get(w, 3) - at), rank.get(w, 3)))


def _sampling(values: Values, quirks: Quirks, notes: Notes) -> None:
    every = quirks.value("sampling", "*")
    effort = effort_in(values)
    for name in SAMPLING:
        if name not in values:
            continue
        how = quirks.value("sampling", name)
        how = every if how is None else how
        if (
            how is None
            or (how == "no_effort" and effort in (None, "none"))
            or (how == "with_none" and effort == "none")
            or (how == "alone" and not (set(SAMPLING) & values.keys() - {name}))
        ):
            continue
        fixed = number_of(how)
        if fixed is not None and name != "logprobs":
            if values[name] != fixed:
                values[name] = fixed
                note(notes, name, how)
            continue
        del values[name]
        note(notes, name)


def _limits(values: Values, quirks: Quirks, notes: Notes) -> None:
    for quirk in quirks:
        if quirk.kind != "limit" or not quirk.value.isdecimal():
            continue
        bound = int(quirk.value)
        name = quirk.name.removeprefix("plain_")
        if name in OUTPUT:
            if name != quirk.name and values.get("stream") is True:
                continue
            for member in OUTPUT:
                _bound(values, member, bound, quirk.sign, notes)
        elif quirk.sign == "<=" and name not in NEEDED:
            _shorten(values, name, bound, notes)


def _shorten(values: Values, name: str, bound: int, notes: Notes) -> None:
    text = values.get(name)
    if isinstance(text, str) and len(text) > bound > 7:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32)
        values[name] = digest.hexdigest()[:bound]
        note(notes, name, "by a hash")


def _bound(values: Values, name: str, bound: int, sign: str, notes: Notes) -> None:
    asked = values.get(name)
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return
    if (sign == "<=" and asked > bound) or (sign == ">=" and 0 < asked < bound):
        values[name] = bound
        note(notes, name, str(bound))

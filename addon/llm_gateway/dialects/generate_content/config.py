"""`generationConfig` of a native request as a provider takes it: members, sampling, lengths, thinking.

member:generationConfig.thinkingConfig   a member of it, however deep, is left out
sampling:top_p                           left out; `=1`: this value alone
limit:max_output_tokens<=8192            lowered; `>=`: raised; `limit:thinking_budget` too
effort:allowed=low,high                  the nearest level of thinking
thinking:off=out                         a budget of nothing is left out: it cannot be off
schema:$schema                           left out of the answer's schema

Names of quirks are in snake case; members are found in either spelling. Pure.
"""

from collections.abc import Mapping

from llm_gateway.adaptation.vocabulary import Quirk, Quirks, number_of
from llm_gateway.dialects.efforts import nearest_effort
from llm_gateway.dialects.generate_content.members import snake, spelled
from llm_gateway.dialects.request_draft import Draft
from llm_gateway.dialects.tool_schemas import fitted_schema, schema_words

NAMES = ("generationConfig", "generation_config")
SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "seed"),
        *("presence_penalty", "frequency_penalty"),
    }
)
_THINKING = "thinkingConfig"
_SCHEMAS = ("responseSchema", "responseJsonSchema")

Config = dict[str, object]
Notes = dict[tuple[str, str], None]
"""(part, how) of what was changed."""


def adapt_config(draft: Draft, quirks: Quirks) -> None:
    for outer in NAMES:
        given = draft.get(outer)
        if not isinstance(given, dict):
            continue
        config: Config = dict(given)
        notes: Notes = {}
        for quirk in quirks:
            _EDITS.get(quirk.kind, _nothing)(config, quirk, notes)
        _fit_schemas(config, quirks, notes)
        for part, how in notes:
            if config:
                draft.put(outer, config, part, how)
            else:
                draft.drop(outer, part)


def _nothing(config: Config, quirk: Quirk, notes: Notes) -> None:
    pass


def _leave_out(config: Config, quirk: Quirk, notes: Notes) -> None:
    """What holds nothing else goes, too."""
    top, *path = quirk.name.split(".")
    if top in NAMES and path and _without(config, path):
        notes[quirk.name, ""] = None


def _without(holder: Config, path: list[str]) -> bool:
    key = spelled(holder, path[0])
    if key is None:
        return False
    if len(path) == 1:
        del holder[key]
        return True
    inner = holder[key]
    if not isinstance(inner, dict) or not _without(inner := dict(inner), path[1:]):
        return False
    if inner:
        holder[key] = inner
    else:
        del holder[key]
    return True


def _sample(config: Config, quirk: Quirk, notes: Notes) -> None:
    key = spelled(config, quirk.name) if quirk.name in SAMPLING else None
    if key is None:
        return
    only = number_of(quirk.value)
    if not quirk.value:
        del config[key]
        notes[key, ""] = None
    elif only is not None and config[key] != only:
        config[key] = only
        notes[key, quirk.value] = None


def _bound(config: Config, quirk: Quirk, notes: Notes) -> None:
    of_thinking = quirk.name == "thinking_budget"
    holder = _inner(config) if of_thinking else config
    bound, key = number_of(quirk.value), spelled(holder, quirk.name)
    asked = holder[key] if key is not None else None
    if bound is None or isinstance(asked, bool) or not isinstance(asked, int | float):
        return
    if of_thinking and asked < 0:
        return  # as much as the model likes
    if (quirk.sign == "<=" and asked > bound) or (quirk.sign == ">=" and asked < bound):
        assert key is not None
        holder[key] = bound
        if of_thinking:
            _put_inner(config, holder)
        notes[quirk.name, quirk.value] = None


def _level(config: Config, quirk: Quirk, notes: Notes) -> None:
    inner = _inner(config)
    key = spelled(inner, "thinkingLevel")
    given = inner[key] if key is not None else None
    if quirk.name != "allowed" or key is None or not isinstance(given, str):
        return
    new = nearest_effort(given.lower(), quirk.value.split(","))
    if new != given.lower():
        _put_inner(config, {**inner, key: new.upper() if given.isupper() else new})
        notes["effort", new] = None


def _always_on(config: Config, quirk: Quirk, notes: Notes) -> None:
    inner = _inner(config)
    key = spelled(inner, "thinkingBudget")
    if (quirk.name, quirk.value) == ("off", "out") and key and inner[key] == 0:
        _put_inner(config, {k: v for k, v in inner.items() if k != key})
        notes["thinking", "left to the model"] = None


_EDITS = {
    "member": _leave_out,
    "sampling": _sample,
    "limit": _bound,
    "effort": _level,
    "thinking": _always_on,
}


def _fit_schemas(config: Config, quirks: Quirks, notes: Notes) -> None:
    words = schema_words(quirks)
    for name in _SCHEMAS if words else ():
        fit_schema(config, name, words, notes)


def fit_schema(
    holder: Config, name: str, words: Mapping[str, str], notes: Notes
) -> str | None:
    """Without the words that do not go; how the schema's member is spelled there, None:
    there is no schema."""
    key = spelled(holder, name)
    schema = holder[key] if key is not None else None
    if key is None or not isinstance(schema, dict):
        return None
    changed: list[str] = []
    holder[key] = fitted_schema(schema, words, False, changed)
    notes |= dict.fromkeys((word, "") for word in changed)
    return key


def _inner(config: Config) -> Config:
    """A copy of the thinking's configuration; empty where there is none."""
    key = spelled(config, _THINKING)
    held = config[key] if key is not None else None
    return dict(held) if isinstance(held, dict) else {}


def _put_inner(config: Config, inner: Config) -> None:
    key = spelled(config, _THINKING)
    if key is None:
        return
    if inner:
        config[key] = inner
    else:
        del config[key]


def config_of(values: object) -> Config:
    """Members of `generationConfig` in snake case."""
    if not isinstance(values, dict):
        return {}
    found: Config = {}
    for outer in NAMES:
        held = values.get(outer)
        if isinstance(held, dict):
            found |= {snake(k): v for k, v in held.items() if isinstance(k, str)}
    return found

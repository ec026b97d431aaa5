"""Refused values: is a refusal about what one request gave as a value, or about a member?

    Unsupported parameter: 'stop'                       the member: nobody can send it
    Invalid parameter: 'stop'                           a value
    The value of 'top_k' is not supported: 900          a value
    'seed' is not allowed to be greater than 4294967296 a value

A value is the client's own: it is told, and the member is taken from nobody. What providers
wrote themselves (turns of the assistant, calls) is no client's choice: there any words count.
"""

import re

from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.adaptation.wording import Refusal, words

_END = re.compile(r"[.!?](?=\s|$)|\n")
_OF_VALUE = words(
    r"\bvalues?\b|\b(?:out of |in the |valid )range\b|\bset to\b|\bexpected\b|\bshould be\b"
    r"|\bmust be (?!omitted|removed|absent|unset|left out|null|empty|set\b)"
    r"|\btoo (?:long|large|small|big|high|low|many|few|short)\b|\b(?:at most|at least)\b"
    r"|\b(?:greater|less|more|fewer|larger|smaller|higher|lower|longer) than\b"
    r"|\b(?:is|was|are)(?: not|n't)? (?:in)?valid\b|\bnot a valid (?!field|param|prop|key|arg)"
)
_OF_MEMBER = words(
    r"\b(?:unknown|unrecogni[sz]ed|unsupported|unexpected|extra|additional|disallowed|deprecated)"
    r"|\bnot (?:supported|permitted|allowed|recogni[sz]ed|implemented|known)\b|\bforbidden\b"
)
_NOT_KNOWN = words(
    r"\b(?:unknown|unrecogni[sz]ed|unexpected|extra|additional|disallowed|unsupported) (?:\w+ )?"
    r"(?:parameter|field|argument|propert|key|input|name|member)\w*\b(?! values?\b)"
)
_VALUE_CODE = re.compile(
    r"(?:unsupported|invalid)_(?:value|type|format|enum)|\w+_(?:above_max|below_min)\w*"
    r"|out_of_range|(?:less|greater)_than\w*"
)
_MEMBER_NAMED = words(
    r"\b(?:parameter|field|argument|property|key|input)s?\b[^.\n]{0,140}"
    r"\b(?:not (?:supported|permitted|allowed|recogni[sz]ed)|unsupported|unknown)\b"
    r"|\b(?:unknown|unrecogni[sz]ed|unsupported|extra|unexpected) (?:\w+ )?"
    r"(?:parameter|field|argument|property|key|input)"
)
_ONES_CHOICE = frozenset({"tool", "part", "format"})
"""Kinds of quirks that take from every request what it writes itself, at any place."""


def is_of_value(refusal: Refusal) -> bool:
    """The words speak of a value, as far as they go."""
    match = refusal.match
    said = _sentence(match.string, match.start(), match.end())
    if _NOT_KNOWN.search(match[0]):
        return False
    if _OF_VALUE.search(said):
        return True
    if match[0].lower().startswith("invalid") and not _OF_MEMBER.search(said):
        return True
    error = refusal.error
    return _VALUE_CODE.fullmatch(error.code.lower()) is not None and not (
        _MEMBER_NAMED.search(error.text or error.message)
    )


def takes_a_choice(quirk: Quirk) -> bool:
    """With it no request has what clients set themselves, whatever its value is."""
    kind, _, value, _ = quirk
    if kind == "member" or kind == "sampling":
        return value in ("", "no_effort", "with_none")
    if kind == "tool_choice":
        return value == "out"
    return kind == "rename" or kind in _ONES_CHOICE


def _sentence(text: str, start: int, end: int) -> str:
    """The one in which this stands, without the code and type on another line."""
    begin = max((m.end() for m in _END.finditer(text, 0, start)), default=0)
    stop = _END.search(text, end)
    return text[begin : stop.start() if stop else len(text)]

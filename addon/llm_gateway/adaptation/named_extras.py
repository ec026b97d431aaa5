"""Members that providers wrote, named by a refusal in whatever words and whatever language.

What stands in a turn of the assistant beyond the dialect's core is nobody's choice: clients
hand back what came. So where a refusal names such a member, it goes, and the words around
it need not be known. Asked last, after every wording that says more.
"""

import re
from collections.abc import Iterator

from llm_gateway.adaptation.refused_member import (
    WANTED_BACK,
    Shape,
    of_calls,
    of_turns,
)
from llm_gateway.adaptation.sent_body import dicts, inner
from llm_gateway.adaptation.wording import Refusal, words
from llm_gateway.dialects.refused_part import own_parameters

MOST_NAMES = 64
"""Names of members that a refusal is searched for."""
_KNOWN_ONES = words(
    r"\bexpected\b[^.\n]*"
    r"|(?<!not\s)\b(?:known|allowed|supported|valid|permitted|accepted|available)\b(?: \w+){0,3}?"
    r"(?: one of| are| is|:)[^.\n]*"
)
"""What a server takes, said after what it does not take."""
_WORD = r"A-Za-z0-9_$"
"""Of names: in other scripts, words follow without a space."""


def extras_named(shape: Shape, refusal: Refusal) -> Iterator[str]:
    text = without_known_ones(refusal.match.string)
    if WANTED_BACK.search(text) or own_parameters(refusal.error, refusal.sent):
        return
    turns: dict[str, None] = {}
    calls: dict[str, None] = {}
    history = list(dicts(refusal.sent.get(shape.turns)))
    places = re.finditer(rf"{shape.turns}\W{{1,4}}(\d{{1,6}})", text, re.IGNORECASE)
    named = [history[n] for p in places if (n := int(p[1])) < len(history)]
    # What the client wrote under the same name is its own.
    clients = set() if named else {*refusal.sent}
    clients = clients.union(*(t for t in named if t.get("role") != "assistant"))
    for turn in history:
        if turn.get("role") != "assistant":
            continue
        turns |= dict.fromkeys(turn.keys() - shape.turn_core - clients)
        for call in dicts(turn.get(shape.calls)):
            held = call.keys() | inner(call, "function").keys()
            calls |= dict.fromkeys(held - shape.call_core)
    for names, quirks in ((turns, of_turns), (calls, of_calls)):
        for name in [n for n in sorted(names)[:MOST_NAMES] if _is_named(n, text)]:
            yield from quirks(shape, refusal, name)


def without_known_ones(text: str) -> str:
    """A refusal without its list of what would be taken: no culprit stands there."""
    return _KNOWN_ONES.compiled.sub(" ", text)


def _is_named(name: str, text: str) -> bool:
    """As an API spells it, or in camel case; a plain word where it stands as a name. With a
    value behind it, a request is quoted."""
    spelled = {re.escape(name), re.escape(name.replace("_", ""))}
    before = rf"(?<![{_WORD}])" if "_" in name.strip("_") else r"[`'\"「『./\[]\s?"
    found = rf"{before}(?:{'|'.join(spelled)})(?![{_WORD}]|[`'\"]\s*[:=])"
    return re.search(found, text, re.IGNORECASE) is not None

"""Thoughts in `encrypted_content` of reasoning items: marked as ours, and opened again.

What a signature is bound to travels with it, and so do thoughts that the client is not shown,
since some providers want them back beside their calls.
"""

import json

from llm_gateway.adaptation.marked_state import marked, read_mark
from llm_gateway.translation.conversation import Opaque, Thought

_WITH_TEXT = "+text"
"""End of the form's name where the thought's text is in it, too."""


def sealed(thought: Thought, maker: str, *, shown: bool) -> str:
    """For the client. Where it is shown a thought without a state, the maker alone.

    maker: of a thought that has no state of its own.
    """
    state = thought.state or Opaque("", maker, "plain")
    form, data = state.form, state.data
    if thought.text and (data or not shown):
        form += _WITH_TEXT
        data = json.dumps([data, thought.text], separators=(",", ":"))
    return marked(state.maker or maker, form, data, state.id)


def opened(text: str, id: str = "") -> Thought:
    """What a client sends back: marked by us, or as its maker gave it."""
    mark = read_mark(text)
    if mark is None:
        return Thought("", Opaque(text, form="redacted", id=id) if text else None)
    form, data, said = mark.form, mark.data, ""
    if form.endswith(_WITH_TEXT):
        form = form.removesuffix(_WITH_TEXT)
        match _parsed(data):
            case [str(data), str(said)]:
                pass
            case _:
                return Thought()
    state = Opaque(data, mark.maker, form, mark.id) if data or mark.maker else None
    return Thought(said, state)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

"""Calls and outputs of a Responses history: each has the other, in the order that is taken."""

from llm_gateway.dialects.conversation import role_of

_CALL, _OUTPUT = "_call", "_call_output"
_MADE = ("message", "function_call", "custom_tool_call")
"""What reasoning may stand in front of."""


def _type_of(item: object) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if isinstance(kind, str):
        return kind
    return "message" if role_of(item) else ""


def _call_id(item: object, end: str) -> str | None:
    """Its id, if it is a call (or an output) that has one."""
    if not isinstance(item, dict) or not _type_of(item).endswith(end):
        return None
    id_ = item.get("call_id")
    return id_ if isinstance(id_, str) else None


def paired(items: list[object]) -> list[object]:
    """Without calls that have no output behind them, and outputs whose call does not stand
    before them. Calls at the very end wait for theirs."""
    outputs = {id_ for item in items if (id_ := _call_id(item, _OUTPUT)) is not None}
    last = len(items)
    while last and _call_id(items[last - 1], _CALL) is not None:
        last -= 1
    called: set[str] = set()
    made = []
    for at, item in enumerate(items):
        if (call := _call_id(item, _CALL)) is not None:
            if call not in outputs and at < last:
                continue
            called.add(call)
        elif (output := _call_id(item, _OUTPUT)) is not None and output not in called:
            continue
        made.append(item)
    return items if len(made) == len(items) else made


def followed(items: list[object]) -> list[object]:
    """Without reasoning that nothing which it led to follows."""
    made: list[object] = []
    keeps = False
    for item in reversed(items):
        kind = _type_of(item)
        if kind == "reasoning":
            if keeps:
                made.append(item)
            continue
        keeps = kind.endswith(_CALL) or (
            kind == "message" and role_of(item) == "assistant"
        )
        made.append(item)
    if len(made) == len(items):
        return items
    made.reverse()
    return made


def batched(items: list[object]) -> list[object]:
    """Calls, then their outputs, nothing between: what the assistant said goes before them,
    what others said behind them."""
    answered = {id_ for item in items if (id_ := _call_id(item, _OUTPUT)) is not None}
    made: list[object] = []
    calls: list[object] = []
    outputs: list[object] = []
    before: list[object] = []
    behind: list[object] = []
    waiting: set[str] = set()
    for item in items:
        call, output = _call_id(item, _CALL), _call_id(item, _OUTPUT)
        if call is not None and call in answered:
            calls.append(item)
            waiting.add(call)
        elif output is not None and output in waiting:
            outputs.append(item)
            waiting.discard(output)
            if not waiting:
                made += [*before, *calls, *outputs, *behind]
                calls, outputs, before, behind = [], [], [], []
        elif not calls:
            made.append(item)
        elif _type_of(item) == "reasoning" or role_of(item) == "assistant":
            before.append(item)
        else:
            behind.append(item)
    made += [*before, *calls, *outputs, *behind]
    return items if all(a is b for a, b in zip(made, items, strict=True)) else made

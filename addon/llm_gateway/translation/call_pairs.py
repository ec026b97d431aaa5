"""Results right behind their calls, and call ids that stand for one call each.

Chat and Messages refuse a history in which anything stands between a call and its result;
Responses and agents that are steered while a tool runs write such. Servers that count ids
anew in every answer (`call_0`) give one to many calls, which Messages refuses. Pure.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from llm_gateway.translation.conversation import Part, ToolCall, ToolResult, Turn
from llm_gateway.translation.made_ids import made_id


def with_results_behind_calls(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """A result that comes later than directly behind the turn of its call moves there.
    What belongs to no call stays where it is. The very turns where all is in order."""
    given = tuple(turns)
    made: list[Turn] = []
    called: dict[str, int] = {}
    late: dict[int, list[Part]] = {}
    for turn in given:
        moved = [
            part
            for part in turn.parts
            if isinstance(part, ToolResult)
            and called.get(part.call_id, len(made)) < len(made) - 1
            and not _is_in_order(made, called[part.call_id])
        ]
        for result in moved:
            late.setdefault(called[result.call_id], []).append(result)
        if moved:
            turn = replace(turn, parts=tuple(p for p in turn.parts if p not in moved))
            if not turn.parts:
                continue
        for part in turn.parts:
            if isinstance(part, ToolCall):
                called[part.id] = len(made)
        made.append(turn)
    if not late:
        return given
    return tuple(_merged(made, late))


def _is_in_order(made: list[Turn], at: int) -> bool:
    """Only results have come since the call."""
    return all(
        turn.role == "user" and all(isinstance(p, ToolResult) for p in turn.parts)
        for turn in made[at + 1 :]
    )


def _merged(made: list[Turn], late: dict[int, list[Part]]) -> Iterator[Turn]:
    """Late results stand behind those that were in time."""
    for at, turn in enumerate(made):
        moved = late.get(at - 1)
        in_time = [part for part in turn.parts if isinstance(part, ToolResult)]
        if moved and turn.role == "user" and in_time:
            rest = (part for part in turn.parts if not isinstance(part, ToolResult))
            turn = replace(turn, parts=(*in_time, *moved, *rest))
        elif moved:
            yield Turn("user", tuple(moved))
        yield turn


def with_unique_ids(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The second call of an id and all later ones get ids that are a function of id and
    number, their results with them. The very turns where no id stands twice."""
    given = tuple(turns)
    ids = [p.id for turn in given for p in turn.parts if isinstance(p, ToolCall)]
    if len(set(ids)) == len(ids):
        return given
    seen: Counter[str] = Counter()
    waiting: dict[str, deque[str]] = {}
    return tuple(
        replace(turn, parts=tuple(_renamed(turn, seen, waiting))) for turn in given
    )


def _renamed(
    turn: Turn, seen: Counter[str], waiting: dict[str, deque[str]]
) -> Iterator[Part]:
    """waiting: ids of the calls that a result with this id may belong to, oldest first."""
    here: set[str] = set()
    for part in turn.parts:
        if isinstance(part, ToolCall):
            if part.id not in here:  # results belong to the nearest turn with their id
                waiting[part.id] = deque()
                here.add(part.id)
            count = seen[part.id]
            id_ = made_id("call_", part.id, count) if count else part.id
            seen[part.id] += 1
            waiting[part.id].append(id_)
            yield replace(part, id=id_)
        elif isinstance(part, ToolResult) and (ids := waiting.get(part.call_id)):
            yield replace(part, call_id=ids.popleft() if len(ids) > 1 else ids[0])
        else:
            yield part

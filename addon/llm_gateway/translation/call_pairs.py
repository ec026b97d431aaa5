"""Results right behind their calls, and call ids that stand for one call each.

Chat and Messages refuse a history in which anything stands between a call and its result;
Responses and agents that are steered while a tool runs write such. Servers that count ids
anew in every answer (`call_0`) give one to many calls, which Messages refuses. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from llm_gateway.translation.conversation import Part, ToolCall, ToolResult, Turn
from llm_gateway.translation.made_ids import UniqueIds


def with_results_behind_calls(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """A result that comes later than directly behind the turn of its call moves there.
    What belongs to no call stays where it is. The very turns where all is in order."""
    given = tuple(turns)
    made: list[Turn] = []
    called: dict[str, int] = {}
    late: dict[int, list[Part]] = {}
    between = -1  # the last turn that holds more than results: they are late behind it
    for turn in given:
        kept: list[Part] = []
        for part in turn.parts:
            at = called.get(part.call_id) if isinstance(part, ToolResult) else None
            if at is not None and between > at:
                late.setdefault(at, []).append(part)
            else:
                kept.append(part)
        if len(kept) < len(turn.parts):
            if not kept:
                continue
            turn = replace(turn, parts=tuple(kept))
        for part in turn.parts:
            if isinstance(part, ToolCall):
                called[part.id] = len(made)
        if turn.role != "user" or not all(
            isinstance(p, ToolResult) for p in turn.parts
        ):
            between = len(made)
        made.append(turn)
    if not late:
        return given
    return tuple(_merged(made, late))


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
    unique = UniqueIds()
    return tuple(replace(turn, parts=tuple(_own(turn, unique))) for turn in given)


def _own(turn: Turn, unique: UniqueIds) -> Iterator[Part]:
    unique.turn()
    for part in turn.parts:
        if isinstance(part, ToolCall):
            yield replace(part, id=unique.call(part.id))
        elif isinstance(part, ToolResult):
            yield replace(part, call_id=unique.result(part.call_id))
        else:
            yield part

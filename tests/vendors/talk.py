"""The tool loop of the matrix: who answers which turn, which calls it makes, what went wrong.

A client asks for sums; turn 1 is answered with two calls, turns 2 and 3 with one each, turn 4
with a text; then the user says one thing more. `move 3>7 #12` in the first user text is the
schedule: vendor 3 answers the odd turns, 7 the even ones; 12 tells conversations apart.
`move 3>7>2>3 #12` goes through four, and begins again with the fifth turn.
Calls are told apart by their arguments. A coding agent is asked to run a command that adds.
Pure.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

SUMS = {1: ((1, 2), (3, 4)), 2: ((5, 6),), 3: ((7, 8),)}
"""Turn -> arguments of its calls."""
TURN_OF = {pair: turn for turn, pairs in SUMS.items() for pair in pairs}
LAST = "The sums are 3, 7, 11 and 15."
MORE = "Thank you!"
BYE = "You are welcome."
TURNS = 5

TITLE = "A title"
"""To a request without a tool of the loop's: an app asks for something on the side."""

TOOLS = {
    "add": "",
    "Bash": "command",
    "bash": "command",
    "exec_command": "cmd",
}
"""Name -> its argument that holds a command; "": it takes `a` and `b`."""

_TOOL = re.compile(rb'"name"\s*:\s*"(%s)"' % "|".join(TOOLS).encode())
_SUM = re.compile(r"(\d+) \+ (\d+)")
_PRINTED = re.compile(r"sum (\d+)")
_MOVE = re.compile(rb"move (\d+)>(\d+)((?:>\d+)*) #(\d+)")
_STATE = re.compile(rb"(?:STATE|U1RBVE)-(\w+?)-")
"""Opaque state of a maker: a signature, encrypted reasoning."""


class Move(NamedTuple):
    source: int
    target: int
    number: int
    then: tuple[int, ...] = ()
    """Who follows after these two."""

    @property
    def route(self) -> tuple[int, ...]:
        """Who answers turn 1, 2, …, and again from the first on."""
        return (self.source, self.target, *self.then)

    @property
    def text(self) -> str:
        return f"Add! move {'>'.join(map(str, self.route))} #{self.number}"

    @property
    def model(self) -> str:
        """A name that says nothing of vendors."""
        return "smart" if self.then else f"smart-{self.source}-{self.target}"

    def answers(self, turn: int) -> int:
        return self.route[(turn - 1) % len(self.route)]


def move_of(body: bytes) -> Move | None:
    found = _MOVE.search(body)
    if not found:
        return None
    source, target, then, number = found.groups()
    return Move(
        int(source), int(target), int(number), tuple(map(int, then.split(b">")[1:]))
    )


def tool_of(body: bytes) -> str:
    """Which tool of the loop's is offered; "": none."""
    found = _TOOL.search(body)
    return found.group(1).decode() if found else ""


def arguments_of(tool: str, pair: tuple[int, int]) -> dict[str, Any]:
    a, b = pair
    if not TOOLS[tool]:
        return {"a": a, "b": b}
    said = {TOOLS[tool]: f"echo sum $(({a} + {b}))"}
    return said | {"description": "Adds"} if TOOLS[tool] == "command" else said


def pair_of(arguments: dict[str, Any]) -> tuple[int, int]:
    if "a" in arguments:
        return int(arguments["a"]), int(arguments["b"])
    command = next(arguments[name] for name in TOOLS.values() if name in arguments)
    [(a, b)] = _SUM.findall(command)
    return int(a), int(b)


def said_at(turn: int, tool: str) -> str:
    """The text of an answer that calls nothing."""
    if not tool:
        return TITLE
    return BYE if turn == TURNS else LAST


def states_in(body: bytes) -> frozenset[str]:
    """Makers whose opaque state stands in a request."""
    return frozenset(name.decode() for name in _STATE.findall(body))


def state(maker: str, turn: int, move: Move) -> str:
    """Long enough for whoever checks that, and in standard base64's letters."""
    return f"STATE-{maker}-{turn}-{move.number}-" + "Q" * 40


def thought(maker: str, turn: int) -> str:
    return f"I am {maker} and think of turn {turn}; there are sums to be made."


def turn_of(pairs: Iterable[tuple[int, int]], body: bytes) -> int:
    """The turn that is to be answered, by the calls that stand in the history."""
    done = max((TURN_OF[pair] for pair in pairs), default=0)
    return TURNS if MORE.encode() in body else done + 1


def open_calls(pairs: list[tuple[int, int]], body: bytes) -> tuple[int, int]:
    """The same, and how many of its calls were made already, by who calls one by one."""
    turn = turn_of(pairs, body)
    if turn == 2 and len(pairs) < len(SUMS[1]):
        return 1, len(pairs)
    return turn, 0


class Call(NamedTuple):
    id: str
    pair: tuple[int, int]


def misfits(calls: list[Call], results: list[tuple[str, str]]) -> list[str]:
    """What is wrong with results (call id, text) that should meet these calls."""
    wrong = []
    if len({call.id for call in calls}) != len(calls):
        wrong.append(f"two calls with one id: {calls}")
    sums = {call.id: str(sum(call.pair)) for call in calls}
    for id, text in results:
        found = _PRINTED.findall(text) or re.findall(r"\d+", text)
        if [sums.pop(id, None)] != found:
            wrong.append(f"result {text!r} of call {id!r} meets none of {calls}")
    wrong += [f"no result of call {id!r}" for id in sums]
    return wrong

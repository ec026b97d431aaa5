"""The tool loop of the matrix: who answers which turn, which calls it makes, what went wrong.

A client asks for sums; turn 1 is answered with two calls, turns 2 and 3 with one each, turn 4
with a text; then the user says one thing more. `move 3>7 #12` in the first user text is the
schedule: vendor 3 answers the odd turns, 7 the even ones; 12 tells conversations apart.
Calls are told apart by their arguments. Pure.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

SUMS = {1: ((1, 2), (3, 4)), 2: ((5, 6),), 3: ((7, 8),)}
"""Turn -> arguments of its calls."""
TURN_OF = {pair: turn for turn, pairs in SUMS.items() for pair in pairs}
LAST = "The sums are 3, 7, 11 and 15."
MORE = "Thank you!"
BYE = "You are welcome."
TURNS = 5

_MOVE = re.compile(rb"move (\d+)>(\d+) #(\d+)")
_STATE = re.compile(rb"(?:STATE|U1RBVE)-(\w+?)-")
"""Opaque state of a maker: a signature, encrypted reasoning."""


class Move(NamedTuple):
    source: int
    target: int
    number: int

    @property
    def text(self) -> str:
        return f"Add! move {self.source}>{self.target} #{self.number}"

    @property
    def model(self) -> str:
        """A name that says nothing of vendors."""
        return f"smart-{self.source}-{self.target}"

    def answers(self, turn: int) -> int:
        return self.source if turn % 2 else self.target


def move_of(body: bytes) -> Move:
    found = _MOVE.search(body)
    assert found is not None, body[:300]
    return Move(*map(int, found.groups()))


def states_in(body: bytes) -> frozenset[str]:
    """Makers whose opaque state stands in a request."""
    return frozenset(name.decode() for name in _STATE.findall(body))


def state(maker: str, turn: int) -> str:
    """Long enough for whoever checks that, and in standard base64's letters."""
    return f"STATE-{maker}-{turn}-" + "Q" * 40


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
        if [sums.pop(id, None)] != re.findall(r"\d+", text):
            wrong.append(f"result {text!r} of call {id!r} meets none of {calls}")
    wrong += [f"no result of call {id!r}" for id in sums]
    return wrong

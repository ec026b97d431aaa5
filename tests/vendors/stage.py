"""All vendors of a dialect on one fake, behind one gateway; what each saw and refused.

Vendor n is asked as `smart-n-…` and `smart-…-n`, all of them as `smart`. It reads the schedule in the user's text:
when it is not its turn, it says that nobody is there (404), before it looks at
anything else. Then it refuses what its kind refuses; and what the gateway should never have
sent is written down.
"""

import collections
import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess

from .talk import Move, move_of

AWAY = json.dumps({"error": {"message": "No instance is free.", "type": "away"}})
"""Neither a strike nor a rest, and no request against a limit: the next one is asked."""
Body = dict[str, Any]
Refused = tuple[int, object] | None


@dataclass(frozen=True)
class Vendor:
    """One row of a matrix."""

    name: str
    refuse: Callable[[Received, Body], Refused]
    answer: Callable[[Body, Received, Move, int], tuple[int, Callable[[], Answer]]]
    """(body, request, schedule, own number) -> the turn that is asked for, and the answer."""
    check: Callable[[Body, Move, int], list[str]]
    """What is wrong with a request that it takes."""
    type: str = "openai-compatible"
    """Of its provider, where its rows are to hold."""
    model: str = "up"
    maker: str = ""
    """Whose opaque state it may see; "": its own."""
    dialect: str = ""
    """Which it speaks; "": its stage's."""


def speaking(dialect: str, vendors: Iterable[Vendor]) -> tuple[Vendor, ...]:
    """For a stage of several dialects."""
    return tuple(
        replace(v, name=f"{v.name}-{dialect}", dialect=dialect) for v in vendors
    )


@dataclass
class Seen:
    requests: int = 0
    away: int = 0
    """It was not its turn."""
    refused: "collections.Counter[str]" = field(default_factory=collections.Counter)
    """Refusals, as their words."""
    wrong: list[str] = field(default_factory=list)


class VendorStage:
    """The vendors of one dialect. `known`: under their own types, so that rows hold."""

    def __init__(
        self, vendors: tuple[Vendor, ...], dialect: str, *, known: bool
    ) -> None:
        self.vendors = vendors
        self.dialect = dialect
        self.known = known
        self.fake = FakeProvider(self._answer)
        self.seen = [Seen() for _ in vendors]
        self._lock = threading.Lock()

    def config(self, **more: Any) -> Body:
        return {"providers": [self._entry(n) for n in range(len(self.vendors))], **more}

    def speaking(self, dialect: str) -> list[int]:
        """Numbers of its vendors; dialect "": all."""
        every = enumerate(self.vendors)
        return [n for n, v in every if dialect in ("", v.dialect or self.dialect)]

    def id(self, n: int) -> str:
        """Of its provider."""
        return f"v{n}-{self.vendors[n].name}"

    def _entry(self, n: int) -> Body:
        vendor = self.vendors[n]
        price = {"inputCostPerMillionTokens": n + 1, "outputCostPerMillionTokens": n}
        dialect = vendor.dialect or self.dialect
        google = dialect == "generateContent"
        path = "v1beta/openai" if google else "v1"
        return {
            "id": self.id(n),
            "type": vendor.type if self.known or google else "openai-compatible",
            "baseURL": f"{self.fake.base_url}/{n}/{path}",
            "apiKey": f"sk-CANARY-{n}",
            "dialects": [dialect],
            "models": [
                {
                    "name": vendor.model if self.known else "up",
                    "aliases": [f"smart-{n}-*", f"smart-*-{n}", "smart"],
                    "pricing": price,
                    "limits": {"requestsPerDay": 1_000_000},
                }
            ],
        }

    def _answer(self, request: Received) -> Answer:
        place = request.target.split("/")[1]
        if not place.isdigit():  # lists and quotas that some types ask for elsewhere
            return answers.status(404, {"error": {"message": "Not here."}})
        n = int(place)
        vendor, seen, body = self.vendors[n], self.seen[n], request.json()
        # What an app asks on the side may not hold the user's words.
        move = move_of(request.body) or Move(n, n, 0)
        with self._lock:
            seen.requests += 1
        try:
            turn, made = vendor.answer(body, request, move, n)
        except Exception as e:
            with self._lock:
                seen.wrong.append(f"{move}: unreadable: {e!r}")
            return answers.status(400, {"error": {"message": f"unreadable: {e!r}"}})
        if move.answers(turn) != n:
            with self._lock:
                seen.away += 1
            return Answer(404, (answers.JSON,), (AWAY.encode(),))
        refused = vendor.refuse(request, body)
        if refused is not None:
            status, said = refused
            text = json.dumps(said)
            with self._lock:
                seen.refused[text] += 1
            return Answer(status, (answers.JSON,), (text.encode(),))
        wrong = vendor.check(body, move, n)
        if wrong:
            with self._lock:
                seen.wrong += [f"{move} turn {turn}: {one}" for one in wrong]
        return made()


@contextlib.contextmanager
def served(
    stage: VendorStage, start: Callable[..., GatewayProcess], **more: Any
) -> Iterator[GatewayProcess]:
    with stage.fake:
        yield start(stage.config(**more))


def moves(stage: VendorStage, first: int = 1, dialect: str = "") -> list[Move]:
    """Every vendor to every other and back, and to itself; dialect: only those that speak it."""
    some = stage.speaking(dialect)
    pairs = [(a, b) for a in some for b in some]
    return [Move(a, b, first + i) for i, (a, b) in enumerate(pairs)]


def short_moves(
    stage: VendorStage, first: int = 1, dialect: str = "", most: int = 0
) -> list[Move]:
    """Each vendor once as a source and once as a target; most: of so many of them, from all
    over the table, and 0: of all."""
    some = stage.speaking(dialect)
    some = some[:: -(-len(some) // most)] if most else some
    pairs = zip(some, some[1:] + some[:1], strict=True)
    return [Move(a, b, first + i) for i, (a, b) in enumerate(pairs)]

"""Every way in which a provider fails, as rows, and the places where it does.

A row is one way to fail and what the gateway makes of it. `Places` runs the fake
providers that fail like that; `Case` is one row met by one client in one form, with
providers and a model of its own in the config, so that hundreds of cases fit into one
gateway and know nothing of each other.

Knows the config's keys and the fakes, nothing of the gateway's code.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fakes import (
    Answer,
    Answered,
    Authority,
    FakeProvider,
    Received,
    Script,
    Session,
    Way,
    answers,
    reach,
    refused_port,
    unanswered_port,
)

from gateway import GatewayProcess
from llm_gateway.mitm_compat.h2_version import too_old

HOST = "api.openai.com"
CHAT = "/v1/chat/completions"
PLAIN, STREAM = "plain", "stream"
FORMS = (PLAIN, STREAM)
PRICING = {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}


def error(message: str, code: str) -> dict[str, object]:
    """An error body of OpenAI's shape."""
    return {"error": {"message": message, "type": "fake", "code": code}}


def priced(dollars: float, *names: str) -> list[dict[str, Any]]:
    """Config entries of models: who costs less is asked first."""
    price = {
        "inputCostPerMillionTokens": dollars,
        "outputCostPerMillionTokens": dollars,
    }
    return [{"name": name, "pricing": price} for name in names]


@dataclass(frozen=True)
class Row:
    """One way to fail."""

    name: str
    script: Script | None = None
    """What the provider does; None: the place fails by itself (see `Places`)."""
    reason: str = ""
    """In the ledger."""
    reason_streamed: str = ""
    """Where it is another one for a streamed request."""
    event: str = ""
    """What is remembered of the one that failed."""
    status: int | None = None
    counted: bool = False
    """The provider counts the attempt."""
    billed: bool = False
    """Its reserved tokens stay counted, too."""
    sent: bool = True
    """The request arrives there."""
    back_in: tuple[float, float] | None = None
    """It comes back between so many and so many seconds later."""
    or_late: bool = False
    """Some machines find out by their connect timeout only."""


SHORT = {Way.BASE: "b", Way.ABSOLUTE: "p", Way.CONNECT_H1: "h1", Way.CONNECT_H2: "h2"}


@dataclass(frozen=True)
class Case:
    """A row, met by one client in one form: has a provider and a model of its own."""

    row: Row
    way: Way
    form: str

    @property
    def id(self) -> str:
        return f"{self.row.name} {SHORT[self.way]} {self.form}".replace(" ", "-")

    @property
    def reason(self) -> str:
        return (self.form == STREAM and self.row.reason_streamed) or self.row.reason

    @property
    def bad(self) -> str:
        """The provider's id."""
        return f"A-{self.id}"

    @property
    def model(self) -> str:
        """What the client asks for."""
        return f"m-{self.id}"

    @property
    def sent(self) -> str:
        """The model's name at the provider that fails."""
        return f"bad/{self.id}"

    @property
    def nonce(self) -> str:
        return f"nonce-{self.id}"

    def request(self, **more: Any) -> bytes:
        message = {"role": "user", "content": f"{self.nonce} Grüße 🎉"}
        streamed = {"stream": True} if self.form == STREAM else {}
        body = {"model": self.model, "messages": [message], **streamed, **more}
        return json.dumps(body, ensure_ascii=False).encode()

    def provider(self, at: str) -> dict[str, Any]:
        return {
            "id": self.bad,
            "type": "openai-compatible",
            "baseURL": f"{at}/{self.id}/v1",
            "apiKey": f"sk-CANARY-{self.id}",
            "free": True,
            "models": [{"name": self.sent, "mappedName": self.model}],
        }


def cases(row: Row) -> list[Case]:
    return [Case(row, way, form) for way in Way for form in FORMS]


class Places:
    """Fake providers for all rows, by the first part of the path that they are asked for."""

    def __init__(self, authority: Authority, other: Authority) -> None:
        self.ca = authority.ca
        self._stack = contextlib.ExitStack()
        self._scripts: dict[str, Script] = {}
        start = self._stack.enter_context
        self.bad = start(FakeProvider(self._answer, name="bad"))
        self.good = start(FakeProvider(self._healthy, name="good"))
        self._at: Mapping[str, str] = {
            "refused": f"http://127.0.0.1:{start(refused_port())}",
            "unanswered": f"http://127.0.0.1:{start(unanswered_port())}",
            "mute": f"https://127.0.0.1:{start(FakeProvider(mute=True)).port}",
            "no tls": "https://127.0.0.1:"
            f"{start(FakeProvider(greeting=b'220 ready')).port}",
            "untrusted": start(FakeProvider(tls=other.server_context())).base_url,
            "wrong name": start(
                FakeProvider(tls=authority.server_context("example.org"))
            ).base_url,
            "unresolvable": "https://no-such-host.invalid",
        }

    def __enter__(self) -> "Places":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def providers(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One that fails for each case, free and so asked first, and a good one for all."""
        found = []
        for case in (case for row in rows for case in cases(row)):
            if case.row.script is not None:
                self._scripts[case.id] = case.row.script
            found.append(case.provider(self._at.get(case.row.name, self.bad.base_url)))
        good = {"name": "good", "aliases": ["m-*"], "pricing": PRICING}
        found.append(
            {
                "id": "B",
                "type": "openai-compatible",
                "baseURL": f"{self.good.base_url}/v1",
                "apiKey": "sk-CANARY-B",
                "models": [good],
            }
        )
        return found

    def _answer(self, request: Received) -> Answer:
        script = self._scripts[request.target.split("/")[1]]
        return script if isinstance(script, Answer) else script(request)

    @staticmethod
    def _healthy(request: Received) -> Answer:
        asked = request.json().get("stream")
        script = answers.stream(["{nonce}", "!"]) if asked else answers.ok()
        return script(request)

    def received(self, case: Case) -> tuple[list[Received], list[Received]]:
        """What the bad and the good one got of this case."""
        prefix, nonce = f"/{case.id}/", f'"{case.nonce} '.encode()
        return (
            [r for r in tuple(self.bad.requests) if r.target.startswith(prefix)],
            [r for r in tuple(self.good.requests) if nonce in r.body],
        )


@dataclass(frozen=True)
class Told:
    """What one client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @classmethod
    async def of(cls, answered: Answered) -> "Told":
        headers = {name.lower(): value for name, value in answered.headers}
        return cls(answered.status, headers, await answered.body())

    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.asynccontextmanager
async def client(gateway: GatewayProcess, way: Way, *, fall_back: bool = True) -> Any:
    """fall_back: without HTTP/2 speak HTTP/1.1, as real clients do."""
    way = spoken(way) if fall_back else way
    async with reach(way, gateway.port, ca=gateway.ca, host=HOST) as session:
        yield session


def spoken(way: Way) -> Way:
    """What a client that would rather have HTTP/2 falls back to, where there is none."""
    return Way.CONNECT_H1 if way is Way.CONNECT_H2 and too_old() else way


async def ask(session: Session, body: bytes, target: str = CHAT) -> Told:
    headers = [
        ("authorization", "Bearer sk-CANARY-USER"),
        ("content-type", "application/json"),
        ("user-agent", "failing/1"),
    ]
    return await Told.of(await session.ask(target, body, headers))


async def put(gateway: GatewayProcess, case: Case, **more: Any) -> Told:
    """The case's request on a connection of its own, and the whole answer."""
    async with client(gateway, case.way) as session:
        return await ask(session, case.request(**more))

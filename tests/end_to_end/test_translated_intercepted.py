"""An app that talks to its own host, by way of the proxy, and is served by another dialect.

Its own key reaches nobody; what nobody here can carry goes to its own host only where that
is allowed, and is said.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Answered, Authority, FakeProvider, Way, answers, reach

from gateway import GatewayProcess, provider

from .conftest import Start
from .test_translated_messages import AGENT, MESSAGES, PDF

HOST = "localhost"
OWN = (
    ("x-api-key", "sk-ant-APP"),
    ("anthropic-version", "2023-06-01"),
    ("content-type", "application/json"),
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Iterator[FakeProvider]:
    with FakeProvider(tls=authority.server_context()) as fake:
        yield fake


@pytest.fixture(scope="module")
def ours() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(
    start_shared: Start, authority: Authority, ours: FakeProvider
) -> GatewayProcess:
    chatty = provider(ours, "chatty", "m", dialects=["chat"], free=True)
    chatty["models"][0]["aliases"] = ["claude-*"]
    return start_shared(
        {"intercept": {"hosts": [HOST]}, "providers": [chatty]}, trust=authority.ca
    )


def ask(
    gateway: GatewayProcess,
    own: FakeProvider,
    body: dict[str, Any],
    *more: tuple[str, str],
) -> tuple[Answered, dict[str, Any]]:
    async def go() -> tuple[Answered, bytes]:
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host=HOST, port=own.port
        ) as session:
            target = f"{MESSAGES}?beta=true"
            sent = json.dumps(body).encode()
            answered = await session.ask(target, sent, (*OWN, *more), "POST")
            return answered, await answered.body()

    answered, body_ = asyncio.run(go())
    return answered, json.loads(body_)


def test_it_is_served_and_its_key_reaches_nobody(
    gateway: GatewayProcess, own: FakeProvider, ours: FakeProvider
) -> None:
    answered, answer = ask(gateway, own, {**AGENT, "model": "claude-opus-9"})
    assert answered.status == 200
    assert answered.header("x-gateway-translated") == "messages>chat"
    assert answer["type"] == "message"
    assert not own.requests
    [sent] = ours.requests
    assert sent.target == "/v1/chat/completions"
    assert b"sk-ant-APP" not in ours.bytes_in()


def test_what_nobody_can_carry_goes_to_its_own_host_and_is_said(
    gateway: GatewayProcess, own: FakeProvider, ours: FakeProvider
) -> None:
    before = len(ours.requests)
    asked = {"max_tokens": 9, "model": "claude-opus-9"}
    asked["messages"] = [{"role": "user", "content": [PDF]}]
    answered, answer = ask(gateway, own, asked)
    assert answered.status == 200
    assert own.requests[-1].json() == asked
    assert own.requests[-1].header("x-api-key") == "sk-ant-APP"
    assert len(ours.requests) == before
    [event] = gateway.wait_rows("select * from events where kind = 'own key'")
    assert "claude-opus-9" in event["message"]
    own.requests.clear()
    free_only = ("x-gateway-policy", "free-only")
    answered, answer = ask(gateway, own, asked, free_only)
    assert answered.status == 400
    assert "cannot carry: PDF in a message" in answer["error"]["message"]
    assert not own.requests


def test_where_it_is_forbidden_the_own_host_answers(
    gateway: GatewayProcess, own: FakeProvider, ours: FakeProvider
) -> None:
    before = len(ours.requests)
    own.then(answers.ok("own"))
    never = ("x-gateway-translate", "never")
    answered, answer = ask(gateway, own, {**AGENT, "model": "claude-x"}, never)
    assert answered.status == 200
    assert answer["content"][0]["text"] == "own"
    assert len(ours.requests) == before

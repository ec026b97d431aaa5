"""Files, conversations and caches stay with the account that made them, as do requests that
name them."""

import asyncio
import itertools
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fakes import Authority, FakeProvider, Way, answers, reach
from fakes.answers import JSON
from fakes.steps import Answer, Received

from gateway import GatewayProcess, provider

from .conftest import Start

ALICE = {"authorization": "Bearer client-key-of-alice"}
BOB = {"authorization": "Bearer client-key-of-bob"}
GOOGLE = {"x-goog-api-key": "client-key-of-alice"}
MESSAGES = {"x-api-key": "client-key-of-alice", "anthropic-version": "2023-06-01"}
USER = f"Basic {b64encode(b'client-key-of-alice:x').decode()}"
_ids = itertools.count(1)
FREE = {"pricing": {"inputCostPerMillionTokens": 1, "outputCostPerMillionTokens": 2}}


class Keeper:
    """A provider that keeps things for each of its keys."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        """id -> key."""

    def __call__(self, request: Received) -> Answer:
        key = next(
            filter(
                None,
                map(request.header, ("authorization", "x-api-key", "x-goog-api-key")),
            ),
            "",
        ).removeprefix("Bearer ")
        path = request.target.partition("?")[0]
        last = path.rpartition("/")[2]
        if last in ("files", "conversations", "vector_stores", "uploads"):
            name = f"{last}-{next(_ids)}"
            self.kept[name] = key
            return answers.status(200, {"id": name, "object": last})
        if last == "cachedContents":
            name = f"cachedContents/c{next(_ids)}"
            self.kept[name] = key
            return answers.status(200, {"name": name, "model": request.json()["model"]})
        if (
            "/responses" in path
            or "/messages" in path
            or ":generateContent" in path
            or "/chat/" in path
        ):
            body = request.body.decode()
            for name, owner in self.kept.items():
                if f'"{name}"' in body and owner != key:
                    return answers.status(
                        404, {"error": {"message": f"{name} not found"}}
                    )
            return _answer(path, request)
        parts = path.split("/")
        for at, part in enumerate(parts):
            name = part if part in self.kept else "/".join(parts[at : at + 2])
            if self.kept.get(name) == key:
                return answers.status(200, {"id": name, "seen": request.method})
        return answers.status(404, {"error": {"message": f"{path} not found"}})


def _answer(path: str, request: Received) -> Answer:
    if ":generateContent" in path:
        part = {
            "content": {"role": "model", "parts": [{"text": "x"}]},
            "finishReason": "STOP",
        }
        return answers.status(
            200,
            {
                "candidates": [part],
                "usageMetadata": {
                    "promptTokenCount": 1,
                    "candidatesTokenCount": 1,
                    "totalTokenCount": 2,
                },
            },
        )
    if path.endswith("/messages"):
        return answers.status(
            200,
            {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": "x"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            },
        )
    if path.endswith("/responses"):
        message = {"type": "message", "content": [{"type": "output_text", "text": "x"}]}
        return answers.status(
            200,
            {
                "id": f"resp_{next(_ids)}",
                "object": "response",
                "output": [message],
                "status": "completed",
                "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
            },
        )
    return (
        answers.status(200, answers.chat("x"))
        if hasattr(answers, "chat")
        else answers.status(
            200,
            {
                "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": 1,
                    "completion_tokens": 1,
                    "total_tokens": 2,
                },
            },
        )
    )


class House(NamedTuple):
    gateway: GatewayProcess
    keeper: Keeper
    seen: FakeProvider
    own: FakeProvider


def config(fake: FakeProvider) -> dict[str, Any]:
    def entry(id: str, *dialects: str, **more: Any) -> dict[str, Any]:
        given = {"dialects": list(dialects), "models": [{"name": "m", **FREE}]}
        return provider(fake, id, **(given | more))

    first = entry("first", "responses", "chat", apiKeys=["sk-CANARY-1", "sk-CANARY-2"])
    del first["apiKey"]
    return {
        "providers": [
            first,
            entry("second", "responses", "chat", free=True, apiKey="sk-CANARY-3"),
            entry("claude", "messages", type="anthropic", apiKey="sk-CANARY-4"),
            entry("claude2", "messages", type="anthropic", apiKey="sk-CANARY-5"),
            entry("gem", "generateContent", apiKey="sk-CANARY-6", type="google"),
            entry("gem2", "generateContent", apiKey="sk-CANARY-7", type="google"),
        ],
        "clients": [
            {"name": "alice", "key": "client-key-of-alice"},
            {"name": "bob", "key": "client-key-of-bob"},
        ],
        "intercept": {"hosts": ["localhost"]},
    }


@pytest.fixture(scope="module")
def house(
    start_shared: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    authority = Authority(tmp_path_factory.mktemp("authority"))
    keeper, own = Keeper(), Keeper()
    with (
        FakeProvider(keeper) as seen,
        FakeProvider(own, tls=authority.server_context()) as theirs,
    ):
        gateway = start_shared(config(seen), trust=authority.ca)
        yield House(gateway, keeper, seen, theirs)


def make(house: House, path: str, headers: dict[str, str], **body: Any) -> str:
    status, seen, answer = house.gateway.post(path, body, headers)
    assert status == 200, answer
    assert seen["x-gateway-provider"]
    return str(answer.get("id") or answer["name"])


FILE = {"type": "input_file", "file_id": "ID"}
NAMING = [
    ("/v1/conversations", ALICE, "/v1/responses", {"model": "m", "input": "x", "conversation": "ID"}),
    ("/v1/conversations", ALICE, "/v1/responses", {"model": "m", "input": "x", "conversation": {"id": "ID"}}),
    ("/v1/files", ALICE, "/v1/responses", {"model": "m", "input": [{"role": "user", "content": [FILE]}]}),
    ("/v1/files", ALICE, "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "ID"}}]}]}),
    ("/v1/files", MESSAGES, "/v1/messages", {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "ID"}}]}]}),
    ("/v1beta/cachedContents", GOOGLE, "/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "x"}]}], "cachedContent": "ID"}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "headers", "path", "body"), NAMING)
def test_a_request_goes_where_what_it_names_was_made(
    house: House, where: str, headers: dict[str, str], path: str, body: dict[str, Any]
) -> None:
    name = make(house, where, headers, model="models/m")
    key = house.keeper.kept[name]
    text = json.dumps(body).replace("ID", name)
    for _ in range(4):
        status, _, answer = house.gateway.post(path, json.loads(text), headers)
        assert status == 200, answer
        got = house.seen.requests[-1]
        assert key in str(got.headers)
        assert name in got.body.decode()
    other = {"authorization": BOB["authorization"]}
    seen = len(house.seen.requests)
    status, _, answer = house.gateway.post(
        path, json.loads(text), {k: v for k, v in headers.items() if k not in ("authorization", "x-api-key", "x-goog-api-key")} | other
    )  # fmt: skip
    assert status == 400
    assert "or not for you" in json.dumps(answer)
    assert len(house.seen.requests) == seen


def test_the_decision_says_why_the_others_are_not_asked(house: House) -> None:
    name = make(house, "/v1/conversations", ALICE)
    body = {"input": "x", "conversation": name}
    status, _, answer = house.gateway.post(
        "/route", {"model": "m", "dialect": "responses", "body": body}, ALICE
    )
    assert status == 200, answer
    reasons = [c["reason"] for c in answer["candidates"] if c["verdict"] == "skipped"]
    kept = [r for r in reasons if r.startswith("not its account: the conversation was")]
    assert len(kept) >= 2
    assert [c["provider"] for c in answer["candidates"] if c["verdict"] == "taken"] == ["first"]  # fmt: skip


ABOUT = [("GET", ""), ("GET", "/content"), ("POST", ""), ("DELETE", ""), ("GET", "/items/i?limit=2&after=a")]  # fmt: skip


def test_requests_about_it_reach_its_account(house: House) -> None:
    for path, headers in (
        ("/v1/files", ALICE),
        ("/v1/conversations", ALICE),
        ("/v1/files", MESSAGES),
        ("/v1beta/cachedContents", GOOGLE),
    ):
        name = make(house, path, headers, model="m")
        key = house.keeper.kept[name]
        for method, below in ABOUT:
            line = f"{path}/{name.rpartition('/')[2]}{below}"
            status, seen, body = house.gateway.ask(method, line, b"{}" if method == "POST" else b"", headers)  # fmt: skip
            assert (status, json.loads(body)["seen"]) == (200, method), line
            assert key in str(house.seen.requests[-1].headers)
            [row] = house.gateway.ended_one(seen["x-gateway-request-id"])
            assert (row["outcome"], row["total_tokens"], row["attempts"]) == ("ok", 0, 0)  # fmt: skip
    assert b"client-key-of" not in house.seen.bytes_in()


def test_what_is_not_known_or_somebody_elses_is_not_found(house: House) -> None:
    name = make(house, "/v1/files", ALICE)
    seen = len(house.seen.requests)
    for asked, headers in ((name, BOB), ("file-nowhere", ALICE), ("x" * 5000, ALICE)):
        status, _, body = house.gateway.ask("GET", f"/v1/files/{asked}", headers=headers)  # fmt: skip
        assert status == 404
        assert "was made through this gateway" in json.loads(body)["error"]["message"]
    status, _, _ = house.gateway.ask("GET", "/v1/files", headers=ALICE)
    assert status == 501
    assert len(house.seen.requests) == seen


def test_things_of_two_accounts_are_not_mixed(house: House) -> None:
    """One made by an account, the other by an answer of another one."""
    name = make(house, "/v1/files", ALICE)
    answer = ""
    for _ in range(20):
        body = {"model": "m", "input": "x"}
        _, headers, made = house.gateway.post("/v1/responses", body, ALICE)
        [row] = house.gateway.ended_one(headers["x-gateway-request-id"])
        if row["provider"] == "second":
            answer = made["id"]
            break
    assert answer
    body = {
        "model": "m",
        "previous_response_id": answer,
        "input": [
            {"role": "user", "content": [{"type": "input_file", "file_id": name}]}
        ],
    }
    seen = len(house.seen.requests)
    status, _, told = house.gateway.post("/v1/responses", body, ALICE)
    assert status == 400
    assert "nobody has both" in told["error"]["message"]
    assert len(house.seen.requests) == seen


def test_what_is_billed_is_not_made_under_free_only(house: House) -> None:
    headers = ALICE | {"x-gateway-policy": "free-only"}
    name = make(house, "/v1/vector_stores", headers)
    assert house.keeper.kept[name] == "sk-CANARY-3"
    status, _, answer = house.gateway.post(
        "/v1beta/cachedContents",
        {"model": "models/m"},
        GOOGLE | {"x-gateway-policy": "free-only"},
    )
    assert status == 403
    assert "is billed" in answer["error"]["message"]


def test_what_is_billed_is_not_kept_longer_or_filled_under_free_only(
    house: House,
) -> None:
    """One that was made under another policy, at an account that is paid."""
    gateway, _, seen, _ = house
    name = make(house, "/v1beta/cachedContents", GOOGLE, model="models/m")
    free_only = GOOGLE | {"x-gateway-policy": "free-only"}
    before = len(seen.requests)
    for method, below in (
        ("PATCH", ""),
        ("POST", "/files"),
        ("PUT", ""),
        ("POST", "/x"),
    ):
        path = f"/v1beta/{name}{below}"
        status, _, answer = gateway.ask(method, path, b"{}", free_only)
        assert (status, b"is billed" in answer) == (403, True), (method, path)
    assert len(seen.requests) == before
    for method, headers in (
        ("GET", free_only),
        ("PATCH", GOOGLE),
        ("DELETE", free_only),
    ):
        assert gateway.ask(method, f"/v1beta/{name}", b"{}", headers)[0] == 200, method
    gateway.wait_rows(
        "select cost_nano from requests where provider like 'gem%' and outcome = 'ok'"
        " order by ts desc limit 3",
        lambda found: [row["cost_nano"] for row in found] == [0, None, 0],
    )


@pytest.mark.parametrize(
    "below", ["/../x", "/./x", "/%2e%2e/x", "/..;/x", "/a%2Fb", "/a;b"]
)
def test_a_path_behind_an_id_reaches_nothing_else(house: House, below: str) -> None:
    name = make(house, "/v1/files", ALICE)
    seen = len(house.seen.requests)
    status, _, _ = house.gateway.post(f"/v1/files/{name}{below}", {}, ALICE)
    assert status in (400, 401)
    assert len(house.seen.requests) == seen


def test_what_an_app_made_with_its_own_key_is_at_its_own_host(house: House) -> None:
    gateway, _, seen, own = house

    async def go(method: str, target: str, body: bytes) -> tuple[int, Any]:
        headers = (
            ("authorization", "Bearer sk-APP"),
            ("content-type", "application/json"),
        )
        async with reach(
            Way.CONNECT_H1, gateway.port, ca=gateway.ca, host="localhost", port=own.port,
            connect_headers=(("proxy-authorization", USER),),
        ) as session:  # fmt: skip
            answered = await session.ask(target, body, headers, method)
            return answered.status, json.loads(await answered.body())

    status, answer = asyncio.run(go("POST", "/v1/conversations", b"{}"))
    assert status == 200
    name = answer["id"]
    before = len(seen.requests)
    body = json.dumps({"model": "m", "input": "x", "conversation": name}).encode()
    status, answer = asyncio.run(go("POST", "/v1/responses", body))
    assert (status, len(seen.requests)) == (200, before)
    assert own.requests[-1].header("authorization") == "Bearer sk-APP"
    # By the base URL nobody has it.
    status, _, told = gateway.post("/v1/responses", json.loads(body), ALICE)
    assert status == 400
    assert "its own key at localhost" in told["error"]["message"]
    assert len(seen.requests) == before
    assert JSON

"""A Copilot account through a day: login, sessions that end, quota, who is asking."""

import time
from typing import Any

from fakes import FakeProvider, answers
from providers.fake_github import FakeGitHub, granted, session

from gateway import GatewayProcess, chat, provider

from .conftest import Start

CONFIG = {
    "providers": [
        {
            "id": "copilot",
            "type": "copilot",
            "flatRate": {"costPerMonth": 10},
            "models": [{"name": "gpt-4o"}],
        }
    ]
}
HOUR = 3600


def token_of(fake: FakeProvider, number: int) -> str | None:
    return fake.requests[number].header("authorization")


def running(start: Start, github: FakeGitHub, config: Any = CONFIG) -> GatewayProcess:
    return start(
        config,
        env={
            "LLM_GATEWAY_GITHUB_URL": github.url,
            "LLM_GATEWAY_GITHUB_API_URL": github.url,
        },
    )


def signed_in(token: str = "gho_CANARYOAUTHTOKEN0001") -> dict[str, Any]:
    [copilot] = CONFIG["providers"]
    return {"providers": [{**copilot, "oauthToken": token}]}


def test_login_through_the_gateway_and_the_first_call(start: Start) -> None:
    now = time.time()
    with FakeProvider(answers.ok("hi")) as api, FakeGitHub() as github:
        github.device = (
            200,
            {
                "device_code": "DEVICE",
                "user_code": "ABCD-1234",
                "verification_uri": "https://github.com/login/device",
                "expires_in": 900,
                "interval": 0,
            },
        )
        github.polls = [granted("gho_CANARYOAUTHTOKEN0002")]
        github.sessions = [
            session("CANARY-SESSION-1", expires_at=now + HOUR, api=api.base_url)
        ]
        gateway = running(start, github)
        assert gateway.chat("gpt-4o")[0] == 503
        routes = "/api/copilot/auth/"
        status, _, begun = gateway.post(f"{routes}start", {}, gateway.admin)
        assert (status, begun["user_code"]) == (200, "ABCD-1234")

        def done() -> bool:
            asked = {"flow": begun["flow"]}
            _, _, polled = gateway.post(f"{routes}poll", asked, gateway.admin)
            return bool(polled["status"] == "done")

        gateway.wait_for(done, "the login")
        status, headers, _ = gateway.chat("gpt-4o")
        assert (status, headers["x-gateway-provider"]) == (200, "copilot")
        [request] = api.requests
        assert request.target == "/chat/completions"
        assert request.header("authorization") == "Bearer CANARY-SESSION-1"
        for name in ("editor-version", "copilot-integration-id", "x-initiator"):
            assert request.header(name), name
        [exchange] = [s for s in github.seen if s.path == "/copilot_internal/v2/token"]
        assert exchange.headers["authorization"] == "token gho_CANARYOAUTHTOKEN0002"
        stored = gateway.home / "copilot" / "copilot.json"
        assert stored.stat().st_mode & 0o777 == 0o600
        assert "CANARY" not in gateway.log()


def test_a_session_is_renewed_before_it_ends(start: Start) -> None:
    now = time.time()
    with FakeProvider(answers.ok("hi")) as api, FakeGitHub() as github:
        github.sessions = [
            session("S1", expires_at=now + HOUR, refresh_in=1, api=api.base_url),
            session("S2", expires_at=now + HOUR, api=api.base_url),
        ]
        gateway = running(start, github, signed_in())
        assert gateway.chat("gpt-4o")[0] == 200
        assert token_of(api, 0) == "Bearer S1"

        def renewed() -> bool:
            assert gateway.chat("gpt-4o")[0] == 200
            return token_of(api, -1) == "Bearer S2"

        gateway.wait_for(renewed, "the second session")
        assert github.sessions == []


def test_who_asks_and_images_are_told(start: Start) -> None:
    with FakeProvider(answers.ok("hi")) as api, FakeGitHub() as github:
        github.sessions = [
            session("S", expires_at=time.time() + HOUR, api=api.base_url)
        ]
        gateway = running(start, github, signed_in())
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
        turn = {"role": "user", "content": [image]}
        tool = {"role": "tool", "tool_call_id": "1", "content": "x"}
        gateway.post("/v1/chat/completions", {**chat("gpt-4o"), "messages": [turn]})
        gateway.post(
            "/v1/chat/completions", {**chat("gpt-4o"), "messages": [turn, tool]}
        )
        user, agent = api.requests
        assert user.header("x-initiator") == "user"
        assert user.header("copilot-vision-request") == "true"
        assert agent.header("x-initiator") == "agent"


def test_quota_that_is_told_is_shown_and_holds(start: Start) -> None:
    spent = "ent=300&ov=0.0&ovPerm=false&rem=0.0&rst=2099-01-01T00%3A00%3A00Z"
    reset = time.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ", time.gmtime(time.time() + HOUR))
    spent = spent.replace("2099-01-01T00%3A00%3A00Z", reset)
    told = (("x-quota-snapshot-premium_interactions", spent),)
    with (
        FakeProvider(answers.ok("hi", headers=told)) as api,
        FakeGitHub() as github,
    ):
        github.sessions = [
            session("S", expires_at=time.time() + HOUR, api=api.base_url)
        ]
        gateway = running(start, github, signed_in())
        assert gateway.chat("gpt-4o")[0] == 200
        status, headers, _ = gateway.chat("gpt-4o")
        assert status == 429
        assert 3000 < int(headers["retry-after"]) <= 3601
        _, _, route = gateway.get("/route?model=gpt-4o")
        [candidate] = route["candidates"]
        assert candidate["state"] == "at limit"
        assert len(api.requests) == 1


def with_another(other: FakeProvider) -> dict[str, Any]:
    [copilot] = signed_in()["providers"]
    return {"providers": [copilot, provider(other, "other", "gpt-4o")]}


def served(gateway: GatewayProcess) -> tuple[str, str]:
    status, headers, _ = gateway.chat("gpt-4o")
    assert status == 200
    return headers["x-gateway-provider"], headers["x-gateway-attempts"]


def test_a_refused_session_is_tried_once_more(start: Start) -> None:
    with FakeProvider() as api, FakeProvider() as other, FakeGitHub() as github:
        ends = time.time() + HOUR
        github.sessions = [session("S", expires_at=ends, api=api.base_url)]
        api.then(answers.status(401))
        gateway = running(start, github, with_another(other))
        assert served(gateway) == ("copilot", "2")
        # Refused twice: it is not the session.
        api.default = answers.status(401)
        assert served(gateway) == ("other", "3")
        assert served(gateway) == ("other", "1")
        rows = gateway.wait_rows(
            "select reason from attempts where provider = 'copilot' order by ts, n",
            lambda rows: len(rows) == 4,
        )
        reasons = [row["reason"] for row in rows]
        assert reasons == ["401 fake_401", "", "401 fake_401", "401 fake_401"]


def test_without_github_the_next_one_answers(start: Start) -> None:
    with FakeProvider() as api, FakeProvider() as other, FakeGitHub() as github:
        github.sessions = [(503, {"message": "unicorn"})] * 9
        gateway = running(start, github, with_another(other))
        assert served(gateway) == ("other", "2")
        assert api.journal == []
        rows = gateway.wait_rows(
            "select provider, outcome from attempts where outcome <> 'in_flight'"
            " order by n",
            lambda rows: len(rows) == 2,
        )
        assert [tuple(row.values()) for row in rows] == [
            ("copilot", "failed"),
            ("other", "ok"),
        ]

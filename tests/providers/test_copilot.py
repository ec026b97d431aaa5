"""Copilot's login and sessions: what answers mean, and the talk with GitHub."""

import asyncio
import json
import logging
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from llm_gateway.domain import Origin
from llm_gateway.providers import token_store
from llm_gateway.providers.copilot_protocol import (
    DeviceCode,
    Granted,
    Pending,
    Refused,
    Session,
    poll_request,
    read_device,
    read_poll,
    read_session,
    session_request,
)
from llm_gateway.providers.copilot_session import (
    CopilotLogin,
    CopilotSession,
    CredentialError,
)
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub

from .fake_github import (
    CLIENT_ID,
    FakeGitHub,
    failed,
    granted,
    pending,
    session,
    slow_down,
)
from .sending import catalog_of

NOW = 1_763_000_000.0
TOKEN_PATH = "/copilot_internal/v2/token"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as running:
        yield running


def github(fake: FakeGitHub) -> GitHub:
    return GitHub(fake.url, fake.url)


# -- what answers mean


def test_a_device_code() -> None:
    body = json.dumps(
        {
            "device_code": "DEVICE",
            "user_code": "ABCD-1234",
            "verification_uri": "https://github.com/login/device",
            "expires_in": 899,
            "interval": 7,
        }
    )
    found = read_device(200, body.encode(), NOW)
    assert found == DeviceCode(
        SecretStr("DEVICE"),
        "ABCD-1234",
        "https://github.com/login/device",
        NOW + 899,
        7.0,
    )
    assert "DEVICE" not in repr(found)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, "oops", "GitHub did not start a login (status 500)"),
        (200, "[]", "GitHub did not start a login (status 200)"),
        (
            404,
            '{"error":"Not Found","message":"Not Found"}',
            "GitHub did not start a login: Not Found",
        ),
        (
            200,
            '{"device_code":"D","user_code":"U","verification_uri":"javascript:alert(1)"}',
            "GitHub did not start a login (status 200)",
        ),
    ],
)
def test_no_device_code(status: int, body: str, message: str) -> None:
    found = read_device(status, body.encode(), NOW)
    assert isinstance(found, Refused)
    assert found.message == message


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (granted("gho_1"), Granted(SecretStr("gho_1"))),
        (pending(), Pending(5.0)),
        (slow_down(10), Pending(10.0)),
        # the standard's five seconds, where none are named
        (failed("slow_down"), Pending(10.0)),
        (
            failed("expired_token"),
            Refused("expired_token", "The code has expired; start the login again."),
        ),
        (
            failed("access_denied"),
            Refused("access_denied", "The login was refused on GitHub's page."),
        ),
        (
            failed("device_flow_disabled"),
            Refused(
                "device_flow_disabled",
                "GitHub did not finish the login (status 200)",
                200,
            ),
        ),
        (
            (502, b"<html>"),
            Refused("", "GitHub did not finish the login (status 502)", 502),
        ),
        # a token that would break out of a header
        (
            granted("a\r\nb"),
            Refused("", "GitHub did not finish the login (status 200)", 200),
        ),
    ],
)
def test_polls(reply: tuple[int, Any], expected: object) -> None:
    status, answer = reply
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    assert read_poll(status, body, 5.0) == expected


@pytest.mark.parametrize(
    ("answer", "expires_at", "refresh_at"),
    [
        # `expires_at` is in seconds, not in milliseconds
        ({"expires_at": NOW + 1800, "refresh_in": 1500}, NOW + 1800, NOW + 1500),
        # no word on refreshing: a minute early
        ({"expires_at": NOW + 1800}, NOW + 1800, NOW + 1740),
        # refresh_in past the end
        ({"expires_at": NOW + 600, "refresh_in": 1500}, NOW + 600, NOW + 540),
        # our clock is an hour ahead
        ({"expires_at": NOW - 1800, "refresh_in": 1500}, NOW + 1560, NOW + 1500),
        # nonsense
        ({"expires_at": "soon", "refresh_in": -1}, NOW + 1500, NOW + 1440),
        ({}, NOW + 1500, NOW + 1440),
    ],
)
def test_how_long_a_session_holds(
    answer: dict[str, Any], expires_at: float, refresh_at: float
) -> None:
    found = read_session(200, json.dumps({"token": "T", **answer}).encode(), NOW)
    assert found == Session(SecretStr("T"), expires_at, refresh_at)


@pytest.mark.parametrize(
    ("api", "origin"),
    [
        (
            "https://api.individual.githubcopilot.com",
            Origin("https", "api.individual.githubcopilot.com", 443, ""),
        ),
        (
            "https://copilot-api.acme.ghe.com",
            Origin("https", "copilot-api.acme.ghe.com", 443, ""),
        ),
        # a session token goes nowhere else
        ("https://evil.example", None),
        ("https://githubcopilot.com.evil.example", None),
        ("http://api.individual.githubcopilot.com", None),
        ("http://127.0.0.1:9", None),
        ("https://user@api.githubcopilot.com", None),
        (17, None),
    ],
)
def test_only_copilots_own_hosts_are_believed(
    api: object, origin: Origin | None
) -> None:
    body = json.dumps({"token": "T", "endpoints": {"api": api}}).encode()
    found = read_session(200, body, NOW)
    assert isinstance(found, Session)
    assert found.origin == origin


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (
            401,
            {"message": "Bad credentials"},
            "GitHub does not accept the login any more; run `llm-gateway login copilot`.",
        ),
        (
            403,
            {
                "can_signup_for_limited": False,
                "error_details": {
                    "message": "No access to Copilot",
                    "notification_id": "no_copilot_access",
                    "title": "Contact your organization",
                    "url": "https://github.com",
                },
                "message": "Resource not accessible",
            },
            "GitHub gave no Copilot session: No access to Copilot",
        ),
        (200, {"token": ""}, "GitHub gave no Copilot session (status 200)"),
        (200, {"token": "a\nb"}, "GitHub gave no Copilot session (status 200)"),
    ],
)
def test_no_session(status: int, answer: Any, message: str) -> None:
    found = read_session(status, json.dumps(answer).encode(), NOW)
    assert isinstance(found, Refused)
    assert (found.message, found.status) == (message, status)


def test_requests_hide_what_they_carry() -> None:
    asked = (
        f"{session_request(SecretStr('gho_X'))!r} {poll_request(SecretStr('DEV'))!r}"
    )
    assert "gho_X" not in asked
    assert "DEV" not in asked


# -- the login


async def test_a_login_from_code_to_stored_token(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    fake.polls = [pending(), slow_down(10), granted("gho_OAUTH")]
    login = CopilotLogin(tmp_path, github(fake), clock)
    code = await login.start("my copilot/1")
    assert isinstance(code, DeviceCode)
    assert (code.user_code, code.interval) == ("ABCD-1234", 5.0)
    # too early: GitHub is not asked
    assert await login.poll("my copilot/1") == Pending(5.0)
    clock.now += 5
    assert await login.poll("my copilot/1") == Pending(5.0)
    clock.now += 5
    assert await login.poll("my copilot/1") == Pending(10.0)
    clock.now += 9
    assert await login.poll("my copilot/1") == Pending(1.0)
    clock.now += 1
    assert await login.poll("my copilot/1") == Granted(SecretStr("gho_OAUTH"))
    assert fake.paths() == ["/login/device/code", *["/login/oauth/access_token"] * 3]
    assert fake.seen[0].body == {"client_id": CLIENT_ID, "scope": "read:user"}
    assert fake.seen[1].body == {
        "client_id": CLIENT_ID,
        "device_code": "DEVICE",
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
    }
    assert fake.seen[1].headers["accept"] == "application/json"
    # stored for nobody else to read
    assert token_store.read(tmp_path, "my copilot/1") == SecretStr("gho_OAUTH")
    assert token_store.stored(tmp_path) == {"my copilot/1"}
    path = token_store.path_of(tmp_path, "my copilot/1")
    assert path == tmp_path / "copilot" / "my%20copilot%2F1.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    # over
    assert await login.poll("my copilot/1") == Refused(
        "no_login", "No login is under way; start one first."
    )


@pytest.mark.parametrize("error", ["expired_token", "access_denied"])
async def test_a_login_that_ends_without_a_token(
    fake: FakeGitHub, clock: Clock, tmp_path: Path, error: str
) -> None:
    fake.polls = [failed(error)]
    login = CopilotLogin(tmp_path, github(fake), clock)
    await login.start("p")
    clock.now += 5
    found = await login.poll("p")
    assert isinstance(found, Refused)
    assert found.code == error
    assert isinstance(again := await login.poll("p"), Refused)
    assert again.code == "no_login"
    assert token_store.stored(tmp_path) == frozenset()


async def test_a_code_that_nobody_typed_expires_here_too(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    login = CopilotLogin(tmp_path, github(fake), clock)
    await login.start("p")
    clock.now += 900
    found = await login.poll("p")
    assert isinstance(found, Refused)
    assert found.code == "expired_token"
    assert fake.paths() == ["/login/device/code"]


async def test_github_out_of_reach(clock: Clock, tmp_path: Path) -> None:
    with FakeGitHub() as gone:
        address = gone.url
    login = CopilotLogin(tmp_path, GitHub(address, address), clock)
    assert await login.start("p") == Refused(
        "unreachable", "GitHub cannot be reached (Connection refused)."
    )
    with pytest.raises(CredentialError, match="GitHub cannot be reached") as error:
        await CopilotSession(SecretStr("T"), GitHub(address, address)).credential(NOW)
    assert error.value.status is None


async def test_a_login_survives_a_poll_that_is_not_answered(
    clock: Clock, tmp_path: Path
) -> None:
    with FakeGitHub() as fake:
        login = CopilotLogin(tmp_path, github(fake), clock)
        await login.start("p")
    clock.now += 5
    assert await login.poll("p") == Pending(5.0)


async def test_redirects_are_not_followed(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    fake.device = (302, {})
    login = CopilotLogin(tmp_path, github(fake), clock)
    assert isinstance(await login.start("p"), Refused)
    assert fake.paths() == ["/login/device/code"]


# -- sessions


async def test_a_session_is_fetched_once_and_renewed_in_time(fake: FakeGitHub) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        session("TWO", expires_at=NOW + 3300),
    ]
    copilot = CopilotSession(SecretStr("gho_OAUTH"), github(fake))
    for at in (NOW, NOW + 1, NOW + 1499):
        found = await copilot.credential(at)
        assert found.token.get_secret_value() == "ONE"
    found = await copilot.credential(NOW + 1500)
    assert found.token.get_secret_value() == "TWO"
    assert fake.paths() == [TOKEN_PATH] * 2
    sent = fake.seen[0]
    assert sent.method == "GET"
    assert sent.headers["authorization"] == "token gho_OAUTH"
    assert sent.headers["editor-version"] == "vscode/1.104.0"
    assert sent.headers["copilot-integration-id"] == "vscode-chat"


async def test_the_account_says_where_its_api_is(fake: FakeGitHub) -> None:
    fake.sessions = [
        session(expires_at=NOW + 1800, api="https://api.business.githubcopilot.com")
    ]
    found = await CopilotSession(SecretStr("T"), github(fake)).credential(NOW)
    assert found.origin == Origin("https", "api.business.githubcopilot.com", 443, "")


async def test_however_many_wait_one_asks(fake: FakeGitHub) -> None:
    fake.hold = threading.Event()
    fake.sessions = [session("ONE", expires_at=NOW + 1800)]
    copilot = CopilotSession(SecretStr("T"), github(fake))
    waiting = [asyncio.ensure_future(copilot.credential(NOW)) for _ in range(20)]
    assert await asyncio.to_thread(fake.arrived.wait, 10)
    # one client goes away, the others still get their answer
    waiting[0].cancel()
    fake.hold.set()
    found = await asyncio.gather(*waiting[1:])
    assert {one.token.get_secret_value() for one in found} == {"ONE"}
    assert fake.paths() == [TOKEN_PATH]


async def test_a_401_makes_it_fetch_anew_once(fake: FakeGitHub) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        session("TWO", expires_at=NOW + 1900),
    ]
    copilot = CopilotSession(SecretStr("T"), github(fake))
    await copilot.credential(NOW)
    copilot.invalidate(NOW + 100)
    found = await copilot.credential(NOW + 100)
    assert found.token.get_secret_value() == "TWO"
    # others that were refused with the old one do not throw the new one away
    copilot.invalidate(NOW + 101)
    found = await copilot.credential(NOW + 101)
    assert found.token.get_secret_value() == "TWO"
    assert fake.paths() == [TOKEN_PATH] * 2


async def test_a_renewal_that_fails_leaves_the_session_its_last_minutes(
    fake: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        (503, b"busy"),
        (503, b"busy"),
    ]
    copilot = CopilotSession(SecretStr("gho_OAUTH"), github(fake))
    await copilot.credential(NOW)
    with caplog.at_level(logging.DEBUG):
        # asked once, then left in peace for a while
        for at in (NOW + 1500, NOW + 1501, NOW + 1504):
            found = await copilot.credential(at)
            assert found.token.get_secret_value() == "ONE"
    assert len(fake.seen) == 2
    with pytest.raises(CredentialError) as error:
        await copilot.credential(NOW + 1800)
    assert error.value.status == 503
    for secret in ("gho_OAUTH", "ONE"):
        assert secret not in caplog.text


async def test_a_revoked_login_ends_the_session(fake: FakeGitHub) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        (401, {"message": "Bad credentials"}),
    ]
    copilot = CopilotSession(SecretStr("T"), github(fake))
    await copilot.credential(NOW)
    with pytest.raises(
        CredentialError, match="run `llm-gateway login copilot`"
    ) as error:
        await copilot.credential(NOW + 1500)
    assert error.value.status == 401


# -- credentials of upstreams


def copilot_upstream(**more: Any) -> Any:
    config = {"id": "cp", "type": "copilot", "models": [{"name": "gpt-4o"}], **more}
    return catalog_of(config, known={"signed_in": {"cp"}}).upstreams["cp", ""]


async def test_the_token_of_the_config_is_used(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    fake.sessions = [session("ONE", expires_at=NOW + 1800)]
    token_store.write(tmp_path, "cp", SecretStr("gho_STORED"))
    credentials = Credentials(tmp_path, clock, github(fake))
    found = await credentials.get(copilot_upstream(oauthToken="gho_CONFIG"))
    assert found.token.get_secret_value() == "ONE"
    assert fake.seen[0].headers["authorization"] == "token gho_CONFIG"


async def test_without_one_the_stored_login_is_used(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        session("TWO", expires_at=NOW + 1800),
    ]
    credentials = Credentials(tmp_path, clock, github(fake))
    with pytest.raises(CredentialError, match="not signed in"):
        await credentials.get(copilot_upstream())
    token_store.write(tmp_path, "cp", SecretStr("gho_FIRST"))
    await credentials.get(copilot_upstream())
    # a new login
    token_store.write(tmp_path, "cp", SecretStr("gho_SECOND"))
    await credentials.get(copilot_upstream())
    credentials.forget("cp")
    found = await credentials.get(copilot_upstream())
    assert found.token.get_secret_value() == "TWO"
    assert [seen.headers["authorization"] for seen in fake.seen] == [
        "token gho_FIRST",
        "token gho_SECOND",
    ]


async def test_invalidating_reaches_the_session(
    fake: FakeGitHub, clock: Clock, tmp_path: Path
) -> None:
    fake.sessions = [
        session("ONE", expires_at=NOW + 1800),
        session("TWO", expires_at=NOW + 1800),
    ]
    credentials = Credentials(tmp_path, clock, github(fake))
    upstream = copilot_upstream(oauthToken="T")
    credentials.invalidate(upstream)
    await credentials.get(upstream)
    clock.now += 60
    credentials.invalidate(upstream)
    found = await credentials.get(upstream)
    assert found.token.get_secret_value() == "TWO"


# -- where GitHub is


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, GitHub("https://github.com", "https://api.github.com")),
        (
            {
                "LLM_GATEWAY_GITHUB_URL": "https://acme.ghe.com",
                "LLM_GATEWAY_GITHUB_API_URL": "https://api.acme.ghe.com",
            },
            GitHub("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ),
        (
            {"LLM_GATEWAY_GITHUB_API_URL": "http://127.0.0.1:7"},
            GitHub("https://github.com", "http://127.0.0.1:7"),
        ),
    ],
)
def test_where_github_is(environ: dict[str, str], expected: GitHub) -> None:
    assert GitHub.from_environment(environ) == expected


@pytest.mark.parametrize(
    "url",
    ["http://evil.example", "http://192.168.1.2", "ftp://x", "https://u:p@x.example"],
)
def test_tokens_are_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="LLM_GATEWAY_GITHUB_URL "):
        GitHub.from_environment({"LLM_GATEWAY_GITHUB_URL": url})

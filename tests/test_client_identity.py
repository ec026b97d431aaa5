"""Who is asking: user agents, keys, proxy users."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from tables import each_row

from llm_gateway.client_identity import Identity, bearer, family, identify, proxy_user
from llm_gateway.domain import Policy
from llm_gateway.providers.catalog import KnownClient

ANN = KnownClient("ann", SecretStr("key-of-ann"), Policy.FREE_ONLY, ())


@each_row(
    ("user_agent", "name"),
    [
        ("OpenAI/Python 3.54.0", "openai-python"),
        ("AsyncOpenAI/Python 1.109.1", "openai-python"),
        ("OpenAI/JS 6.1.0", "openai-node"),
        ("Anthropic/Python 2.12.0", "anthropic-python"),
        ("AsyncAnthropic/Python 0.125.0", "anthropic-python"),
        ("Anthropic/JS 0.60.0", "anthropic-node"),
        ("curl/8.5.0", "curl"),
        ("Python-urllib/3.13", "python-urllib"),
        ("python-requests/2.32.3", "python-requests"),
        ("claude-cli/2.1.51 (external, cli)", "claude-cli"),
        ("codex_cli_rs/0.63.0 (Debian 12; x86_64) xterm", "codex_cli_rs"),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "browser"),
        ("GithubCopilot/1.300.0", "githubcopilot"),
        ("_OpenAI/JS 5.23.2", "openai-node"),
        ("OpenAI2/JS 5.23.2", "openai-node"),
        ("s3/1.0", "s3"),
        ("ls/JS 5.23.2", "ls"),
        ("my app 1.0", "my"),
        ("x" * 90, "x" * 40),
        ("", "unknown"),
        ("/", "unknown"),
        ("\U0001f389/1", "unknown"),
    ],
)
def test_families_of_user_agents(user_agent: str, name: str) -> None:
    assert family(user_agent) == name


@pytest.mark.parametrize(
    ("user_agent", "sdk", "name"),
    [
        ("ls/JS 5.23.2", "openai/js", "openai-node"),
        ("e/JS 0.60.0", "anthropic/js", "anthropic-node"),
        ("_a/JS 6.1.0", "openai/js", "openai-node"),
        ("$t/JS 6.1.0", "openai/js", "openai-node"),
        ("X/Python 3.1", "openai/python", "openai-python"),
        # a name that people know is better than a guess
        ("Groq/JS 0.9.0", "openai/js", "groq"),
        ("claude-cli/2.1.51 (external, cli)", "anthropic/js", "claude-cli"),
        ("ls/8.0", "openai/js", "ls"),
        ("ls/JS 5.23.2", "openai/ruby", "ls"),
        ("", "openai/js", "unknown"),
    ],
)
def test_sdks_that_lost_their_name_to_a_bundler(
    user_agent: str, sdk: str, name: str
) -> None:
    assert family(user_agent, sdk) == name


@given(st.text(max_size=200))
def test_any_user_agent_has_a_short_plain_family(user_agent: str) -> None:
    name = family(user_agent)
    assert 0 < len(name) <= 40
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize(
    ("authorization", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER a b", "a b"),
        ("Basic abc", ""),
        ("Bearer", ""),
        ("abc", ""),
        ("", ""),
    ],
)
def test_bearer(authorization: str, key: str) -> None:
    assert bearer(authorization) == key


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        (basic(b"ann:secret"), "ann"),
        (basic(b"ann:"), "ann"),
        (basic(b"ann"), "ann"),
        (basic(b":secret"), ""),
        (basic("é".encode()), "é"),
        (basic(b"\xff\xfe"), ""),
        ("basic " + base64.b64encode(b"ann:").decode() + " ", "ann"),
        ("Basic !!!", ""),
        ("Basic", ""),
        ("Bearer YW5uOg==", ""),
        ("", ""),
    ],
)
def test_proxy_user(authorization: str, user: str) -> None:
    assert proxy_user(authorization) == user


@given(st.text(max_size=100))
def test_no_authorization_makes_it_stumble(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}"):
        proxy_user(header)
        bearer(header)


def who(key: str = "", user: str = "") -> Identity:
    return identify(
        lambda given: ANN if given == "key-of-ann" else None,
        lambda name: ANN if name == "ann" else None,
        key=key,
        user=user,
        user_agent="curl/8",
    )


@pytest.mark.parametrize(
    ("key", "user", "expected"),
    [
        ("key-of-ann", "", Identity("ann", "curl", ANN, authenticated=True)),
        ("", "key-of-ann", Identity("ann", "curl", ANN, authenticated=True)),
        ("sk-app", "key-of-ann", Identity("ann", "curl", ANN, authenticated=True)),
        # A name is enough to be counted as somebody, not to be let in.
        ("", "ann", Identity("ann", "curl", ANN, authenticated=False)),
        # An app's own key says nothing, nor does a name that is sent as key.
        ("sk-app", "", Identity("curl", "curl")),
        ("ann", "", Identity("curl", "curl")),
        ("", "cursor", Identity("cursor", "curl")),
        ("", "José & co", Identity("José & co", "curl")),
        ("", "a\x00b\nc", Identity("abc", "curl")),
        ("", "", Identity("curl", "curl")),
    ],
)
def test_identity(key: str, user: str, expected: Identity) -> None:
    assert who(key, user) == expected


@pytest.mark.parametrize(
    "user",
    [
        "sk-proj-abc",
        "gsk_abc",
        "xai-abc",
        "AIzaSyA",
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "nvapi-abc",
        "eyJhbGciOiJIUzI1NiJ9",
        "9f86d081884c7d659a2feaa0",
        "n" * 41,
    ],
)
def test_what_looks_like_a_key_is_no_name(user: str) -> None:
    assert who(user=user).client == "curl"


@pytest.mark.parametrize(
    "user", ["the-one-who-asks-for-everything-2026", "team_frontend_november", "n" * 40]
)
def test_a_long_name_is_a_name(user: str) -> None:
    assert who(user=user).client == user

"""The request that leaves: what passes, what never does, what is changed."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from tables import each_row

from llm_gateway.adaptation.adapted import Adapted
from llm_gateway.dialects import (
    CHAT,
    EMBEDDINGS,
    MESSAGES,
    RESPONSES,
    SPECS,
    DialectSpec,
)
from llm_gateway.domain import Origin
from llm_gateway.providers import TYPES
from llm_gateway.providers.account_questions import model_list
from llm_gateway.providers.outbound_request import NoCredential, authority
from llm_gateway.providers.upstream import Credential
from llm_gateway.providers.upstream_request import build
from providers.sending import body_of, catalog_of, headers, only_offer, sent, url

OPENAI = {"type": "openai", "apiKey": "PROVIDER-KEY"}

NEVER = (
    (b"Authorization", b"Bearer CANARY"),
    (b"x-api-key", b"CANARY"),
    (b"api-key", b"CANARY"),
    (b"X-Goog-Api-Key", b"CANARY"),
    (b"Cookie", b"session=CANARY"),
    (b"Proxy-Authorization", b"Basic CANARY"),
    (b"Anthropic-Auth-Token", b"CANARY"),
    (b"Anthropic-Api-Key", b"CANARY"),
    (b"X-Stainless-Arch", b"CANARY"),
    (b"x-stainless-retry-count", b"CANARY"),
    (b"Forwarded", b"for=CANARY"),
    (b"X-Forwarded-For", b"CANARY"),
    (b"X-Real-IP", b"CANARY"),
    (b"x-gateway-policy", b"CANARY"),
    (b"User-Agent", b"CANARY"),
    (b"Referer", b"https://CANARY.example"),
    (b"Origin", b"https://CANARY.example"),
    (b"traceparent", b"CANARY"),
    (b"Host", b"CANARY.example"),
    (b"Connection", b"CANARY"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Content-Length", b"999"),
    (b"Content-Encoding", b"gzip"),
    (b"Expect", b"100-continue"),
    (b"Accept-Encoding", b"gzip, br"),
)


# -- what passes


@each_row("type_", sorted(TYPES))
def test_nothing_of_the_client_passes_but_the_allow_list(type_: str) -> None:
    provider: dict[str, Any] = {
        "type": type_,
        "apiKey": "PROVIDER-KEY",
        "baseURL": "https://llm.example.com/v1",
    }
    credential = None
    if type_ == "copilot":
        del provider["apiKey"]
        provider["oauthToken"] = "OAUTH"
        credential = Credential(SecretStr("SESSION"))
    if type_ == "simulator":
        del provider["baseURL"]
    dialect = SPECS[next(iter(TYPES[type_].paths))]
    bare = sent(provider, dialect, credential=credential)
    loaded = sent(provider, dialect, client_headers=NEVER, credential=credential)
    assert loaded == bare
    assert b"OAUTH" not in b"".join(value for _, value in loaded.headers)


@pytest.mark.parametrize(
    ("type_", "dialect", "header", "value"),
    [
        ("anthropic", MESSAGES, "anthropic-beta", "context-1m-2025-08-07"),
        ("anthropic", MESSAGES, "anthropic-version", "2024-01-01"),
        ("openrouter", MESSAGES, "anthropic-beta", "x"),
        ("openrouter", CHAT, "http-referer", "https://app.example"),
        ("openrouter", CHAT, "x-title", "My app"),
        ("openrouter", CHAT, "x-openrouter-title", "My app"),
        ("openrouter", MESSAGES, "x-openrouter-title", "My app"),
        ("openai", RESPONSES, "openai-beta", "responses=v1"),
        ("openai", CHAT, "openai-organization", "org-1"),
        ("openai", EMBEDDINGS, "openai-project", "proj_1"),
        ("openai", CHAT, "idempotency-key", "stainless-node-retry-1"),
        # whatever Anthropic invents next
        ("anthropic", MESSAGES, "anthropic-workspace-id", "w"),
        ("openrouter", MESSAGES, "anthropic-something-new", "x"),
    ],
)
def test_headers_that_mean_something_to_the_provider_pass(
    type_: str, dialect: DialectSpec, header: str, value: str
) -> None:
    client = ((header.title().encode(), value.encode()),)
    out = sent({"type": type_, "apiKey": "K"}, dialect, client_headers=client)
    assert headers(out)[header] == value


@pytest.mark.parametrize(
    ("type_", "dialect", "header"),
    [
        # headers of another dialect or of another provider
        ("anthropic", CHAT, b"anthropic-beta"),
        ("openai", CHAT, b"anthropic-version"),
        ("groq", CHAT, b"openai-beta"),
        ("groq", CHAT, b"http-referer"),
        ("openrouter", CHAT, b"referer"),
        ("groq", CHAT, b"x-openrouter-title"),
        ("groq", CHAT, b"openai-organization"),
        ("openrouter", CHAT, b"openai-project"),
        ("groq", CHAT, b"idempotency-key"),
        ("anthropic", CHAT, b"anthropic-something-new"),
        ("openai", CHAT, b"anthropic-something-new"),
        # no credential, whatever its family
        ("anthropic", MESSAGES, b"anthropic-api-key"),
        ("anthropic", MESSAGES, b"anthropic-auth-token"),
        ("openrouter", MESSAGES, b"anthropic-client-secret"),
        ("anthropic", MESSAGES, b"anthropic-dangerous-direct-browser-access"),
    ],
)
def test_they_do_not_pass_elsewhere(
    type_: str, dialect: DialectSpec, header: bytes
) -> None:
    out = sent(
        {"type": type_, "apiKey": "K"}, dialect, client_headers=((header, b"v"),)
    )
    assert header not in dict(out.headers)


@pytest.mark.parametrize("header", [b"OpenAI-Organization", b"openai-project"])
def test_what_belongs_to_the_apps_own_key_does_not_come_with_it(header: bytes) -> None:
    client = ((header, b"theirs"), (b"openai-beta", b"x"))
    kept = headers(sent(OPENAI, client_headers=client, intercepted=True))
    assert header.decode().lower() not in kept
    assert kept["openai-beta"] == "x"
    assert header.decode().lower() in headers(sent(OPENAI, client_headers=client))


@pytest.mark.parametrize(
    ("type_", "dialect", "query", "left"),
    [
        ("anthropic", MESSAGES, "beta=true", "?beta=true"),
        ("anthropic", MESSAGES, "x=1&beta=true&key=K&api_key=K", "?beta=true"),
        ("anthropic", MESSAGES, "beta=a%20b%26c", "?beta=a+b%26c"),
        ("anthropic", MESSAGES, "beta", "?beta="),
        ("anthropic", MESSAGES, "", ""),
        ("openrouter", MESSAGES, "beta=true", "?beta=true"),
        ("openai", CHAT, "beta=true&key=K&api-version=1", ""),
        ("groq", CHAT, "beta=true", ""),
        ("azure", CHAT, "api-version=theirs&key=K", "?api-version=ours"),
    ],
)
def test_of_the_query_passes_what_the_row_names(
    type_: str, dialect: DialectSpec, query: str, left: str
) -> None:
    provider: dict[str, Any] = {"type": type_, "apiKey": "K"}
    if type_ == "azure":
        provider |= {"resourceName": "r", "apiVersion": "ours"}
    path = sent(provider, dialect, query=query).path
    assert path.partition("?")[1] + path.partition("?")[2] == left


@each_row("type_", sorted(TYPES))
def test_no_row_lets_a_credential_of_the_client_pass(type_: str) -> None:
    row = TYPES[type_]
    names = {n.decode() for n in row.forwarded | row.forwarded_direct}
    secret = ("authorization", "api-key", "token", "cookie", "secret")
    for name in names - {"idempotency-key"} | row.forwarded_query:
        assert not any(word in name for word in secret)
        assert name not in ("key", "api_key")


def test_repeated_headers_are_joined() -> None:
    client = ((b"anthropic-beta", b"a"), (b"Anthropic-Beta", b"b"))
    out = sent({"type": "anthropic", "apiKey": "K"}, MESSAGES, client_headers=client)
    assert headers(out)["anthropic-beta"] == "a,b"


@pytest.mark.parametrize(
    "value", [b"", b"a\r\nx: y", b"a\x00", b"a\rb", b"a\x7f", b"\xff"]
)
def test_odd_values_do_not_pass(value: bytes) -> None:
    client = ((b"anthropic-beta", value),)
    out = sent({"type": "anthropic", "apiKey": "K"}, MESSAGES, client_headers=client)
    assert "anthropic-beta" not in headers(out)


LETTERS = st.binary(max_size=30)


@given(st.lists(st.tuples(LETTERS, LETTERS), max_size=8))
def test_whatever_a_client_sends_names_are_from_the_list(
    client: list[tuple[bytes, bytes]],
) -> None:
    out = sent(
        {"type": "anthropic", "apiKey": "K"}, MESSAGES, client_headers=tuple(client)
    )
    assert {name for name, _ in out.headers} <= {
        b"host",
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"user-agent",
        b"anthropic-version",
        b"anthropic-beta",
        b"x-api-key",
    }
    assert all(0x20 <= byte < 0x7F for _, value in out.headers for byte in value)


# -- the config's own headers


def test_headers_of_the_config_are_added_and_win() -> None:
    provider = {
        **OPENAI,
        "headers": {"X-Title": "me", "User-Agent": "mine/1", "OpenAI-Beta": "mine"},
    }
    out = sent(provider, client_headers=((b"openai-beta", b"theirs"),))
    found = headers(out)
    assert found["x-title"] == "me"
    assert found["user-agent"] == "mine/1"
    assert found["openai-beta"] == "mine"


def test_a_config_that_brings_its_own_authorization_needs_no_key() -> None:
    out = sent({"type": "openai", "headers": {"Authorization": "Basic abc"}})
    assert headers(out)["authorization"] == "Basic abc"


def test_answers_are_never_asked_for_compressed() -> None:
    out = sent({**OPENAI, "headers": {"Accept-Encoding": "gzip"}})
    assert headers(out)["accept-encoding"] == "identity"


# -- keys and origins


def test_key_and_origin_of_a_credential_go_together() -> None:
    origin = Origin("https", "api.business.githubcopilot.com", 443, "")
    out = sent(
        {"type": "copilot", "oauthToken": "OAUTH"},
        credential=Credential(SecretStr("SESSION"), origin),
    )
    assert url(out) == "https://api.business.githubcopilot.com/chat/completions"
    assert headers(out)["authorization"] == "Bearer SESSION"


def test_without_the_credential_it_needs_nothing_is_sent() -> None:
    with pytest.raises(NoCredential, match="no credential was fetched"):
        sent({"type": "copilot", "oauthToken": "OAUTH"})
    with pytest.raises(NoCredential):
        sent(
            {
                "type": "google-vertex",
                "project": "p",
                "location": "l",
                "accessTokenFile": "/somewhere",
            }
        )


def test_each_account_sends_its_own_key() -> None:
    found = catalog_of(
        {"id": "p", "type": "groq", "apiKeys": ["K1", "K2"], "models": [{"name": "m"}]}
    )
    keys = []
    for offer in found.offers:
        upstream = found.upstreams["p", offer.account]
        out = build(upstream, offer, CHAT, body_of(), client_headers=(), streamed=False)
        keys.append((offer.account, headers(out)["authorization"]))
    assert keys == [("1", "Bearer K1"), ("2", "Bearer K2")]


def test_no_repr_shows_a_key() -> None:
    provider = {**OPENAI, "headers": {"X-Secret": "HEADER-SECRET"}}
    found = catalog_of({"id": "p", "models": [{"name": "m"}], **provider})
    upstream = found.upstreams["p", ""]
    text = f"{upstream!r} {found.upstreams!r} {sent(provider)!r}"
    assert "PROVIDER-KEY" not in text
    assert "HEADER-SECRET" not in text


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (Origin("https", "a.example", 443, ""), "a.example"),
        (Origin("https", "a.example", 8443, ""), "a.example:8443"),
        (Origin("http", "localhost", 11434, ""), "localhost:11434"),
        (Origin("http", "a.example", 443, ""), "a.example:443"),
        (Origin("http", "::1", 80, ""), "[::1]"),
        (Origin("http", "::1", 8080, ""), "[::1]:8080"),
    ],
)
def test_authority(origin: Origin, expected: str) -> None:
    assert authority(origin) == expected


# -- the body


def test_a_body_that_needs_no_change_is_not_copied() -> None:
    found = catalog_of({"id": "p", "models": [{"name": "m"}], **OPENAI})
    offer = only_offer(found)
    upstream = found.upstreams["p", offer.account]
    body = body_of()
    out = build(upstream, offer, CHAT, body, client_headers=(), streamed=False)
    assert out.body is body.raw


def test_only_the_model_is_replaced() -> None:
    found = catalog_of(
        {
            "id": "p",
            **OPENAI,
            "models": [{"name": "gpt-4o-mini", "aliases": ["small"]}],
        }
    )
    offer = only_offer(found)
    upstream = found.upstreams["p", offer.account]
    body = body_of(model="small", temperature=0.5)
    out = build(upstream, offer, CHAT, body, client_headers=(), streamed=False)
    assert out.body == body.raw.replace(b'"small"', b'"gpt-4o-mini"')


def test_usage_is_not_asked_for_when_told_not_to() -> None:
    found = catalog_of({"id": "p", "models": [{"name": "m"}], **OPENAI})
    offer = only_offer(found)
    upstream = found.upstreams["p", offer.account]
    body = body_of(stream=True)
    out = build(
        upstream,
        offer,
        CHAT,
        body,
        client_headers=(),
        streamed=True,
        include_usage=False,
    )
    assert (out.body, out.strip_usage) == (body.raw, False)


@pytest.mark.parametrize("dialect", [RESPONSES, EMBEDDINGS])
def test_dialects_without_the_option_are_left_alone(dialect: DialectSpec) -> None:
    out = sent(OPENAI, dialect, stream=True)
    assert b"stream_options" not in out.body
    assert not out.strip_usage


def test_what_was_adapted_leaves() -> None:
    adapted = Adapted(
        dropped=frozenset({"stream_options", "seed"}),
        renamed={"max_tokens": "max_completion_tokens"},
        replaced={"messages": [{"role": "user", "content": "é"}], "top_p": 1},
    )
    out = sent(OPENAI, adapted=adapted, stream=True, max_tokens=5, seed=3)
    body = json.loads(out.body)
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body
    assert not {"stream_options", "seed"} & set(body)
    assert not out.strip_usage
    assert '"messages": [{"role":"user","content":"é"}]'.encode() in out.body
    assert body["top_p"] == 1


def test_columns_of_a_row_change_the_body() -> None:
    found = catalog_of({"id": "p", "models": [{"name": "m"}], **OPENAI})
    offer = only_offer(found)
    upstream = found.upstreams["p", offer.account]
    row = replace(
        upstream.type_info,
        drops=frozenset({"seed"}),
        renames={"max_completion_tokens": "max_tokens"},
    )
    out = build(
        replace(upstream, type_info=row),
        offer,
        CHAT,
        body_of(seed=1, max_completion_tokens=7),
        client_headers=(),
        streamed=False,
    )
    body = json.loads(out.body)
    assert body["max_tokens"] == 7
    assert not {"seed", "max_completion_tokens"} & set(body)


# -- headers that depend on the request


@pytest.mark.parametrize(
    ("messages", "initiator", "vision"),
    [
        ([{"role": "user", "content": "Hi"}], "user", None),
        (
            [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello"},
                {"role": "tool", "tool_call_id": "1", "content": "42"},
            ],
            "agent",
            None,
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {
                            "type": "image_url",
                            "image_url": {"url": "data:image/png;base64,AAAA"},
                        },
                    ],
                }
            ],
            "user",
            "true",
        ),
    ],
)
def test_copilot_is_told_who_asks_and_whether_there_are_images(
    messages: list[Any], initiator: str, vision: str | None
) -> None:
    out = sent(
        {"type": "copilot", "oauthToken": "OAUTH"},
        credential=Credential(SecretStr("SESSION")),
        messages=messages,
    )
    found = headers(out)
    assert found["x-initiator"] == initiator
    assert found.get("copilot-vision-request") == vision


# -- the list of models


@pytest.mark.parametrize(
    ("provider", "expected", "auth"),
    [
        (OPENAI, "https://api.openai.com/v1/models", "authorization"),
        (
            {"type": "anthropic", "apiKey": "K"},
            "https://api.anthropic.com/v1/models?limit=1000",
            "x-api-key",
        ),
        (
            {"type": "google", "apiKey": "K"},
            "https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000",
            "x-goog-api-key",
        ),
        ({"type": "ollama"}, "http://localhost:11434/v1/models", None),
        ({"type": "perplexity", "apiKey": "K"}, None, None),
    ],
)
def test_where_models_are_listed(
    provider: dict[str, Any], expected: str | None, auth: str | None
) -> None:
    found = catalog_of({"id": "p", "models": [{"name": "m"}], **provider})
    out = model_list(found.upstreams["p", ""])
    assert (out and url(out)) == expected
    if out is not None:
        assert out.body == b""
        names = set(headers(out))
        assert "content-type" not in names
        assert {"authorization", "x-api-key", "x-goog-api-key"} & names == (
            {auth} if auth else set()
        )


def test_a_list_of_models_needs_the_credential_too() -> None:
    config = {"id": "p", "type": "copilot", "oauthToken": "OAUTH"}
    found = catalog_of({**config, "models": [{"name": "m"}]})
    upstream = found.upstreams["p", ""]
    with pytest.raises(NoCredential):
        model_list(upstream)
    origin = Origin("https", "api.business.githubcopilot.com", 443, "")
    out = model_list(upstream, Credential(SecretStr("SESSION"), origin))
    assert out is not None
    assert url(out) == "https://api.business.githubcopilot.com/models"
    assert headers(out)["authorization"] == "Bearer SESSION"

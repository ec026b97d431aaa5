"""Upstream addresses: what is accepted, what is refused, and that nobody reads them differently."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tables import each_row

from llm_gateway.config.urls import is_loopback, is_private_host, parse_base_url
from llm_gateway.domain import Origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (
            "https://api.groq.com/openai/v1",
            Origin("https", "api.groq.com", 443, "/openai/v1"),
        ),
        ("https://API.Example.com/V1/", Origin("https", "api.example.com", 443, "/V1")),
        ("https://example.com", Origin("https", "example.com", 443, "")),
        ("https://example.com:8443/v1", Origin("https", "example.com", 8443, "/v1")),
        (
            "https://10.0.0.7/a%20b/v1",
            Origin("https", "10.0.0.7", 443, "/a%20b/v1"),
        ),
        # plain http to this machine
        ("http://127.0.0.1:11434/v1", Origin("http", "127.0.0.1", 11434, "/v1")),
        ("http://127.9.8.7/v1", Origin("http", "127.9.8.7", 80, "/v1")),
        ("http://localhost:1/v1", Origin("http", "localhost", 1, "/v1")),
        ("http://a.localhost/v1", Origin("http", "a.localhost", 80, "/v1")),
        ("http://[::1]:65535/v1", Origin("http", "::1", 65535, "/v1")),
    ],
)
def test_accepted(text: str, origin: Origin) -> None:
    assert parse_base_url(text) == origin


@each_row(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("api.example.com/v1", "does not begin with https://"),
        ("ftp://example.com", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("https:/example.com", "does not begin with https://"),
        ("https:example.com", "does not begin with https://"),
        ("https://", "has no host"),
        ("https:///v1", "has no host"),
        ("https://:443/v1", "has no host"),
        ("https://me:secret@example.com/v1", "has a user name in it"),
        ("https://example.com@evil.example/v1", "has a user name in it"),
        ("https://example.com/v1?key=1", "has a ?, # or \\"),
        ("https://example.com/v1#x", "has a ?, # or \\"),
        ("https://example.com\\@evil.example/", "has a user name in it"),
        ("https://example.com/\\v1", "has a ?, # or \\"),
        ("https://example.com/v1\n", "spaces or control characters"),
        ("https://exa\tmple.com/v1", "spaces or control characters"),
        (" https://example.com", "spaces or control characters"),
        ("https://example.com:0/v1", "port outside"),
        ("https://example.com:65536/v1", "no host and port"),
        ("https://example.com:x/v1", "no host and port"),
        ("https://[::1/v1", "no host and port"),
        ("https://bücher.example/v1", "write xn--bcher-kva.example"),
        ("https://example.com./v1", "ends in a dot"),
        ("https://exa mple.com", "spaces or control characters"),
        ("https://a..b/v1", "no name"),
        ("https://-a.b/v1", "no name"),
        ("https://{region}.example.com/v1", "no name"),
        ("https://example.com/accounts/{id}/v1", "placeholder"),
        ("https://example.com/v1/%zz", "placeholder"),
        # numbers that some resolvers take for addresses
        ("https://127.1/v1", "no IPv4 address"),
        ("https://2130706433/v1", "no IPv4 address"),
        ("https://0x7f000001/v1", "no IPv4 address"),
        ("https://0177.0.0.1/v1", "no IPv4 address"),
        ("https://1.2.3.4.5/v1", "no IPv4 address"),
        ("https://[::1%25eth0]/v1", "a zone"),
        # what no provider can be
        ("http://0.0.0.0:8000/v1", "no provider can have"),
        ("https://169.254.169.254/v1", "no provider can have"),
        ("https://[::ffff:169.254.169.254]/v1", "no provider can have"),
        ("https://224.0.0.1/v1", "no provider can have"),
        # a key in the clear
        ("http://api.openai.com/v1", "unencrypted"),
        ("http://192.168.1.5:8000/v1", "unencrypted"),
        ("http://localhost.evil.example/v1", "unencrypted"),
        # pasted whole
        (
            "https://api.groq.com/openai/v1/chat/completions",
            "ends in /chat/completions",
        ),
        ("https://api.anthropic.com/v1/messages/", "ends in /messages"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        parse_base_url(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback", "house"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("localhost", True, True),
        ("x.localhost", True, True),
        ("192.168.1.5", False, True),
        ("10.1.2.3", False, True),
        ("fd00::1", False, True),
        ("nas", False, True),
        ("gpu.local", False, True),
        ("host.docker.internal", False, True),
        ("169.254.1.1", False, False),
        ("8.8.8.8", False, False),
        ("example.com", False, False),
        ("notlocalhost.com", False, False),
        ("local", False, True),
        ("evil-local.com", False, False),
    ],
)
def test_near_and_far(host: str, loopback: bool, house: bool) -> None:
    assert is_loopback(host) is loopback
    assert is_private_host(host) is house


def test_plain_http_stays_in_the_house() -> None:
    ollama = parse_base_url("http://nas:11434/v1", allow_private_http=True)
    assert ollama == Origin("http", "nas", 11434, "/v1")
    with pytest.raises(ValueError, match="unencrypted"):
        parse_base_url("http://example.com/v1", allow_private_http=True)


PIECES = st.sampled_from(
    [
        "https://", "http://", "HTTPS://", "//", "/", ":", "@", "\\", "?", "#", ".", "..", "[", "]", "%",
        "%2e", "%00", "\t", "\n", "\r", " ", "\0", "a", "b.example", "localhost", "127.0.0.1", "::1", "443",
        "0", "65536", "xn--", "é", "。", "ﬀ", "\u2100", "\u200d", "v1", "-", "_", "0x7f", "1",
    ]
)  # fmt: skip
URLS = st.one_of(
    st.text(),
    st.lists(PIECES, max_size=9).map("".join),
    st.lists(PIECES, max_size=7).map(lambda pieces: "https://" + "".join(pieces)),
)


@given(URLS)
@example("https://a\\@b.example/")
@example("https://b.example%2f@a/")
def test_nobody_reads_an_accepted_address_differently(text: str) -> None:
    try:
        origin = parse_base_url(text, allow_private_http=True)
    except ValueError:
        return
    parts = urlsplit(text)
    assert parts.hostname == origin.host
    assert (parts.port or {"https": 443, "http": 80}[parts.scheme]) == origin.port
    assert parts.scheme == origin.scheme
    assert parts.path.rstrip("/") == origin.path
    assert parts.username is None
    assert not parts.query
    assert not parts.fragment
    assert origin.host.isascii()
    assert 1 <= origin.port <= 65535
    # and what it stands for is read the same when it is written down again
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    written = f"{origin.scheme}://{host}:{origin.port}{origin.path}"
    assert parse_base_url(written, allow_private_http=True) == origin

"""What proxies answer, odd and broken: HTTP CONNECT and SOCKS5, byte by byte; and what becomes of
a name that is none. Nothing but the errors that say whose failure it is ever comes out."""

import asyncio
import base64
import html
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote, quote_plus

import pytest

from llm_gateway.config.proxy_url import ProxyServer, parse_proxy_url
from llm_gateway.network import outbound_proxy
from llm_gateway.network.happy_eyeballs import HappyEyeballs
from llm_gateway.network.http_connect import auth_schemes
from llm_gateway.network.outbound_proxy import open_by_way_of, wire_name
from llm_gateway.network.proxy_failure import (
    ProxyRefused,
    ProxyUnavailable,
    one_line,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def proxy_of(
    serve: Serve, scheme: str = "http", user: str = ""
) -> AsyncIterator[ProxyServer]:
    async def served(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await serve(reader, writer)
            writer.write_eof()
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield parse_proxy_url(f"{scheme}://{user}127.0.0.1:{port}")


async def led_to(
    proxy: ProxyServer, host: str = "x.test", port: int = 443
) -> tuple[type[OSError] | None, str]:
    """What comes through the tunnel, or what failed."""
    eyeballs = HappyEyeballs(time.monotonic)
    try:
        reader, writer = await open_by_way_of(proxy, host, port, eyeballs=eyeballs)
    except OSError as e:
        return type(e), str(e)
    got = (await reader.read()).decode()
    writer.close()
    return None, got


OK = b"HTTP/1.1 200 OK\r\n\r\n"
WHO = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: "
HTTP: list[tuple[str, bytes, type[OSError] | None, str]] = [
    ("1.0", b"HTTP/1.0 200\r\n\r\n", None, ""),
    ("no reason", b"HTTP/1.1 200 \r\n\r\n", None, ""),
    ("small letters", b"http/1.1 200 ok\r\n\r\n", None, ""),
    ("another 2xx", b"HTTP/1.1 204 OK\r\n\r\n", None, ""),
    ("a length", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None, ""),
    ("chunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None, ""),
    ("says close", b"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\n\r\n", None, ""),
    ("LF alone", b"HTTP/1.1 200 OK\nvia: x\n\n", None, ""),
    ("an empty line first", b"\r\n" + OK, None, ""),
    ("interim", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, None, ""),
    ("two of them", b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\na: b\r\n\r\n" + OK, None, ""),
    ("60 KB of head", b"HTTP/1.1 200 OK\r\na: " + b"a" * 60_000 + b"\r\n\r\n", None, ""),
    ("200 KB of head", b"HTTP/1.1 200 OK\r\na: " + b"a" * 200_000, ProxyUnavailable, "speak HTTP"),
    ("200 KB of heads", b"HTTP/1.1 100 C\r\n\r\n" * 10_000, ProxyUnavailable, "speak HTTP"),
    ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", ProxyUnavailable, "speak HTTP"),
    ("another version", b"HTTP/2 200\r\n\r\n", ProxyUnavailable, "speak HTTP"),
    ("four digits", b"HTTP/1.1 2000 OK\r\n\r\n", ProxyUnavailable, "speak HTTP"),
    ("TLS", b"\x15\x03\x01\x00\x02\x02\x46", ProxyUnavailable, "speaks TLS"),
    ("nothing", b"", ProxyUnavailable, "closed the connection unanswered"),
    ("half a head", b"HTTP/1.1 200 O", ProxyUnavailable, "unanswered"),
    ("half a word", b"HTT", ProxyUnavailable, "unanswered"),
    ("half of another", b"220 mail", ProxyUnavailable, "speak HTTP"),
    ("a portal", b"HTTP/1.1 302 Found\r\nlocation: http://hotel/\r\n\r\n", ProxyRefused, "302"),
    ("a page with its 200", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n", None, ""),
    ("keeps alive", b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nkeep-alive: 5\r\n\r\n", None, ""),
    ("a header without a colon", b"HTTP/1.1 200 OK\r\nodd\r\n\r\n", None, ""),
    ("a folded header", b"HTTP/1.1 200 OK\r\nvia: a\r\n b\r\n\r\n", None, ""),
    ("bytes of no text", b"HTTP/1.1 200 \xff\xfe\r\nvia: \xff\r\n\r\n", None, ""),
    ("interim without an end", b"HTTP/1.1 100 Continue\r\n", ProxyUnavailable, "unanswered"),
    ("a refusal that keeps alive", b"HTTP/1.1 403 No\r\nconnection: keep-alive\r\n\r\n", ProxyRefused, "403 No"),
    ("a length that is none", b"HTTP/1.1 403 No\r\ncontent-length: x\r\n\r\nnope", ProxyRefused, ": nope"),
    ("a chunked page", b"HTTP/1.1 502 No\r\ntransfer-encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n", ProxyRefused, ": nope"),
    ("a compressed page", b"HTTP/1.1 502 No\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\x00", ProxyRefused, "502 No for x.test:443"),
    ("a refusal", b"HTTP/1.1 403 No\r\ncontent-length: 4\r\n\r\nnopeMORE", ProxyRefused, ": nope"),
    ("too many", b"HTTP/1.1 429 Slow\r\n\r\n", ProxyRefused, "429 Slow for x.test:443"),
    ("overloaded", b"HTTP/1.1 503 Busy\r\n\r\n", ProxyRefused, "503 Busy for x.test:443"),
    ("switching", b"HTTP/1.1 101 Odd\r\n\r\n", ProxyRefused, "101 Odd"),
    ("no proxy", b"HTTP/1.1 405 No\r\n\r\n", ProxyUnavailable, "opens no tunnels"),
    ("who", b"HTTP/1.1 407 Who\r\n\r\n", ProxyUnavailable, "wants a user and a password (407)"),
    ("who, Basic", WHO + b'Basic realm="a"\r\n\r\n', ProxyUnavailable, "wants a user"),
    ("who, NTLM", WHO + b"NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n", ProxyUnavailable,
     "by NTLM or Negotiate, and the gateway knows Basic only"),
]  # fmt: skip


@pytest.mark.parametrize("split", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [pytest.param(*case[1:], id=case[0]) for case in HTTP],
)
async def test_answers_to_connect(
    answer: bytes, error: type[OSError] | None, said: str, split: bool
) -> None:
    """What follows the head is the tunnel's, whatever the head says of it."""
    if split and len(answer) > 1000:
        pytest.skip("long ones come in pieces anyway")
    through = answer + (b"first words" if error is None else b"")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for at in range(len(through)) if split else ():
            writer.write(through[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)
        if not split:
            writer.write(through)

    async with proxy_of(serve) as proxy:
        found, text = await led_to(proxy)
    assert found is error, text
    assert (said or "first words") in text


async def test_silence_is_the_proxys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_proxy, "SECONDS", 0.1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for scheme in ("http", "socks5h"):
        async with proxy_of(serve, scheme) as proxy:
            assert await led_to(proxy) == (
                ProxyUnavailable,
                f"outbound proxy {proxy.name} does not answer",
            )


@pytest.mark.parametrize(
    ("challenges", "schemes"),
    [
        ([], []),
        (["Basic"], ["Basic"]),
        (['Basic realm="x"'], ["Basic"]),
        (["NTLM", "Negotiate"], ["NTLM", "Negotiate"]),
        (["Negotiate, NTLM, basic realm=x"], ["Negotiate", "NTLM", "basic"]),
        (['Digest realm="a, Basic b", nonce="c", qop = "auth"'], ["Digest"]),
        (["NTLM TlRMTVNTUAAC=="], ["NTLM"]),
    ],
)
def test_auth_schemes(challenges: list[str], schemes: list[str]) -> None:
    assert auth_schemes(challenges) == schemes


CANARY = 'CANARY of:the/%proxy&"<7>'


@pytest.mark.parametrize(
    "spelled",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        html.escape(CANARY),
        json.dumps(CANARY),
        CANARY.encode().hex(),
        base64.b64encode(CANARY.encode()).decode(),
        base64.b64encode(f"me:{CANARY}".encode()).decode(),
    ],
)
def test_a_page_that_repeats_the_password(spelled: str) -> None:
    proxy = ProxyServer("http", "proxy", 1, "me", CANARY)
    page = f"<h1>Not for you</h1>: some {spelled}, sorry".encode()
    assert one_line(proxy, page).endswith(", sorry")
    assert "CANARY" not in one_line(proxy, page)
    assert spelled not in one_line(proxy, page)


@pytest.mark.parametrize(
    ("user", "password", "shown"),
    [
        ("me", "pw", "some name, a *** of *** (e) denied"),
        ("", "pw", "some name, a *** of me (e) denied"),
        ("me", "", "some name, a pw of *** (e) denied"),
        ("a", "e", "some name, *** pw of me (***) denied"),
    ],
)
def test_short_ones_tear_no_words_apart(user: str, password: str, shown: str) -> None:
    proxy = ProxyServer("http", "proxy", 1, user, password)
    assert one_line(proxy, b"<p>some name, a pw of me (e) denied</p>") == shown


# -- SOCKS

NONE, PASSWORD = b"\x05\x00", b"\x05\x02"
DONE = b"\x05\x00\x00\x01\0\0\0\0\0\0"
SOCKS: list[tuple[str, str, list[bytes], type[OSError] | None, str]] = [
    # user, what it answers: to the methods, the password, the request
    ("v4 bound", "", [NONE, DONE], None, ""),
    ("v6 bound", "", [NONE, b"\x05\0\0\x04" + b"\1" * 18], None, ""),
    ("name bound", "", [NONE, b"\x05\0\0\x03\x05a.bcd\0\1"], None, ""),
    ("empty name bound", "", [NONE, b"\x05\0\0\x03\x00\0\1"], None, ""),
    ("odd name bound", "", [NONE, b"\x05\0\0\x03\x02\xff\xfe\0\1"], ProxyUnavailable, "speak SOCKS5"),
    ("odd type bound", "", [NONE, b"\x05\0\0\x07\0\0\0\0\0\0"], ProxyUnavailable, "speak SOCKS5"),
    *(
        (f"code {code}", "", [NONE, bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0))], ProxyRefused, "x.test:443")
        for code in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0xF0)
    ),
    ("short refusal", "", [NONE, b"\x05\x05\x00"], ProxyRefused, "refused by destination"),
    ("half a reply", "", [NONE, b"\x05\x00"], ProxyUnavailable, "unanswered"),
    ("nothing", "", [], ProxyUnavailable, "unanswered"),
    ("SOCKS4", "", [b"\x00\x5b\0\0\0\0\0\0"], ProxyUnavailable, "speak SOCKS5"),
    ("HTTP", "", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], ProxyUnavailable, "speak SOCKS5"),
    ("wants Kerberos", "", [b"\x05\x01"], ProxyUnavailable, "by another way than user"),
    ("wants an odd one", "", [b"\x05\x09"], ProxyUnavailable, "by another way than user"),
    ("wants a user", "", [b"\x05\xff"], ProxyUnavailable, "wants a user and a password"),
    ("asks for a user", "", [PASSWORD], ProxyUnavailable, "wants a user and a password"),
    ("wants none", "me:pw@", [b"\x05\xff"], ProxyUnavailable, "accepts no user"),
    ("ignores the user", "me:pw@", [NONE, DONE], None, ""),
    ("takes the user", "me:pw@", [PASSWORD, b"\1\0", DONE], None, ""),
    ("takes a user alone", "me@", [PASSWORD, b"\1\0", DONE], None, ""),
    ("takes a password alone", ":pw@", [PASSWORD, b"\1\0", DONE], None, ""),
    ("knows them not", "me:pw@", [PASSWORD, b"\1\1"], ProxyUnavailable, "does not accept its user"),
    ("answers oddly", "me:pw@", [PASSWORD, b"\5\0"], ProxyUnavailable, "speak SOCKS5"),
]  # fmt: skip


def socks_server(answers: list[bytes], asked: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            asked.append(await reader.read(1000))
            for at in range(len(answer)):
                writer.write(answer[at : at + 1])
                await asyncio.sleep(0)

    return serve


@pytest.mark.parametrize(
    ("user", "answers", "error", "said"),
    [pytest.param(*case[1:], id=case[0]) for case in SOCKS],
)
async def test_answers_of_socks(
    user: str, answers: list[bytes], error: type[OSError] | None, said: str
) -> None:
    asked: list[bytes] = []
    if error is None:
        answers = [*answers[:-1], answers[-1] + b"first words"]
    async with proxy_of(socks_server(answers, asked), "socks5h", user) as proxy:
        found, text = await led_to(proxy)
    assert found is error, text
    assert (said or "first words") in text
    if error is None:
        assert asked[-1] == b"\x05\x01\x00\x03\x06x.test\x01\xbb"


async def test_socks5_tries_all_addresses_of_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy has no way to the first; a password that is wrong is said once only."""
    asked: list[bytes] = []
    refused = b"\x05\x03\x00\x01\0\0\0\0\0\0"
    turns = [[NONE, refused], [NONE, DONE], [NONE, DONE], [b"\x05\xff"]]

    async def resolve(self: object, host: str, port: int) -> tuple[str, ...]:
        return ("2001:db8::1", "192.0.2.1") if host == "x.test" else (host,)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await socks_server(turns.pop(0), asked)(reader, writer)

    monkeypatch.setattr(HappyEyeballs, "resolve", resolve)
    eyeballs = HappyEyeballs(time.monotonic)
    async with proxy_of(serve, "socks5") as proxy:
        for _ in range(2):
            _, writer = await open_by_way_of(proxy, "x.test", 443, eyeballs=eyeballs)
            writer.close()
        assert [a[3] for a in asked if len(a) > 4] == [4, 1, 1]
        assert eyeballs.remembered("x.test", 443) is None  # directly it may be another
        with pytest.raises(ProxyUnavailable, match="wants a user"):
            await open_by_way_of(proxy, "x.test", 443, eyeballs=eyeballs)
    assert turns == []


# -- names


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("x.test", "x.test"),
        ("x.test.", "x.test."),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("_dmarc.x-y.test", "_dmarc.x-y.test"),
    ],
)
def test_names_as_proxies_are_told_of_them(host: str, told: str) -> None:
    assert wire_name(host) == told


@pytest.mark.parametrize(
    "host",
    ["", "a b", "a\r\nx: y", "::1\r\n", "a\0b", "a..b", "a" * 64 + ".test", "a." * 200, "ü" * 64, "\x7f"],
)  # fmt: skip
async def test_what_is_no_name_goes_to_no_proxy(host: str) -> None:
    proxy = ProxyServer("http", "127.0.0.1", 1)
    error, said = await led_to(proxy, host)
    assert error is OSError
    assert "is not a host name" in said

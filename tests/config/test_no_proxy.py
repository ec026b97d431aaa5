"""NO_PROXY: one table, and what curl and requests make of it where they are installed."""

import shutil
import socket
import subprocess
import threading
from contextlib import suppress

import pytest
from tables import each_row

from llm_gateway.config.no_proxy import no_proxy, parse_no_proxy

CASES = [
    # NO_PROXY, host, port, directly
    ("", "example.com", 443, False),
    ("*", "example.com", 443, True),
    ("*", "192.0.2.1", 443, True),
    ("example.com", "example.com", 443, True),
    ("example.com", "api.example.com", 443, True),
    ("example.com", "a.b.example.com", 443, True),
    ("example.com", "notexample.com", 443, False),
    ("example.com", "example.com.evil.test", 443, False),
    ("example.com", "example.org", 443, False),
    (".example.com", "api.example.com", 443, True),
    (".example.com", "example.com", 443, True),
    ("*.example.com", "api.example.com", 443, True),
    ("*.example.com", "example.com", 443, True),
    ("EXAMPLE.com", "api.example.COM", 443, True),
    ("example.com.", "example.com", 443, True),
    ("example.com", "example.com.", 443, True),
    ("api.example.com", "example.com", 443, False),
    ("com", "example.com", 443, True),
    ("localhost,example.com", "example.com", 443, True),
    ("localhost, example.com", "example.com", 443, True),
    ("localhost example.com", "example.com", 443, True),
    (" , ,example.com,", "example.com", 443, True),
    (",", "example.com", 443, False),
    ("example.com:443", "example.com", 443, True),
    ("example.com:443", "example.com", 8443, False),
    ("example.com:8443", "api.example.com", 8443, True),
    ("192.0.2.1", "192.0.2.1", 443, True),
    ("192.0.2.1", "192.0.2.10", 443, False),
    ("2.1", "192.0.2.1", 443, False),
    ("192.0.2.1:80", "192.0.2.1", 80, True),
    ("192.0.2.1:80", "192.0.2.1", 443, False),
    ("192.0.2.0/24", "192.0.2.77", 443, True),
    ("192.0.2.0/24", "192.0.3.77", 443, False),
    ("192.0.2.7/24", "192.0.2.77", 443, True),
    ("192.0.2.0/24", "name.test", 443, False),
    ("10.0.0.0/8,.corp.test", "git.corp.test", 22, True),
    ("2001:db8::1", "2001:db8::1", 443, True),
    ("[2001:db8::1]", "2001:db8::1", 443, True),
    ("[2001:db8::1]:80", "2001:db8::1", 443, False),
    ("2001:db8::/32", "2001:db8:1::7", 443, True),
    ("2001:db8::/32", "[2001:db8:1::7]", 443, True),
    ("2001:DB8:0::1", "2001:db8::1", 443, True),
    ("192.0.2.1", "::ffff:192.0.2.1", 443, True),
    ("::ffff:192.0.2.0/120", "192.0.2.1", 443, True),
    ("999.0.0.0/8", "example.com", 443, False),
    ("exa*mple.com", "example.com", 443, False),
    ("b\u00fccher.test", "xn--bcher-kva.test", 443, True),
    ("xn--bcher-kva.test", "api.xn--bcher-kva.test", 443, True),
    ("other.test,*", "example.com", 443, True),
    ("127.0.0.1", "localhost", 443, False),
    ("[2001:db8::1]:443", "2001:db8::1", 443, True),
    ("fe80::/10", "fe80::1%eth0", 443, True),
]  # fmt: skip


@each_row(("entries", "host", "port", "directly"), CASES)
def test_no_proxy(entries: str, host: str, port: int, directly: bool) -> None:
    assert parse_no_proxy(entries).holds(host, port) is directly


def test_a_list_says_the_same_as_a_text() -> None:
    assert no_proxy(["a.test", "10.0.0.0/8:80"]) == parse_no_proxy(
        "a.test 10.0.0.0/8:80"
    )


# What others make of it. Where they differ, we are the more generous: an entry that one of
# them does not understand (`*.`, a port, an IPv6 network) is meant to be reached directly.
CURLS_OWN = {
    "*.example.com",
    "example.com:443",
    "example.com:8443",
    "192.0.2.1:80",
    "[2001:db8::1]",
    "2001:db8::/32",
    "2001:DB8:0::1",
    "::ffff:192.0.2.0/120",
    "[2001:db8::1]:443",
    "fe80::/10",
    "b\u00fccher.test",
    "other.test,*",
}
REQUESTS_OWN = CURLS_OWN | {"2.1", "example.com.", "localhost example.com"}
OTHERS_OWN = {("192.0.2.1", "::ffff:192.0.2.1"), ("example.com", "example.com.")}


def url(host: str, port: int) -> str:
    bare = host.strip("[]")
    return f"http://[{bare}]:{port}/" if ":" in bare else f"http://{host}:{port}/"


def others_verdicts(verdicts: list[bool], own: set[str]) -> None:
    assert len(verdicts) == len(CASES)
    differ = {
        (entries, host)
        for (entries, host, _, directly), found in zip(CASES, verdicts, strict=True)
        if found is not directly and entries not in own
    }
    assert differ <= OTHERS_OWN


def test_requests_says_the_same() -> None:
    utils = pytest.importorskip("requests.utils")
    others_verdicts(
        [
            bool(entries)
            and bool(utils.should_bypass_proxies(url(host, port), no_proxy=entries))
            for entries, host, port, _ in CASES
        ],
        REQUESTS_OWN,
    )


def answer_all(listener: socket.socket, word: bytes) -> None:
    with suppress(OSError):
        while True:
            wire, _ = listener.accept()
            with wire:
                wire.recv(65536)
                wire.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + word)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_says_the_same() -> None:
    """One run of curl for all of them; both ways out end on this machine."""
    with (
        socket.create_server(("127.0.0.1", 0)) as proxy,
        socket.create_server(("127.0.0.1", 0)) as host_itself,
    ):
        for listener, word in ((proxy, b"proxy"), (host_itself, b"directly")):
            threading.Thread(
                target=answer_all, args=(listener, word), daemon=True
            ).start()
        command = ["curl"]
        for entries, host, port, _ in CASES:
            command += ["--next"] if len(command) > 1 else []
            command += ["-s", "-m", "20", "-w", "\n", "--noproxy", entries or ","]
            command += ["--proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}"]
            there = f"::127.0.0.1:{host_itself.getsockname()[1]}"
            command += ["--connect-to", there, url(host, port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        for listener in (proxy, host_itself):
            listener.shutdown(socket.SHUT_RDWR)
    said = done.stdout.splitlines()
    others_verdicts([word == "directly" for word in said], CURLS_OWN)

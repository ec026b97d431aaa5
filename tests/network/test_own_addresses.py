"""This very machine, under all of its names; and hosts that are not it."""

import socket

import pytest

from llm_gateway.network.own_addresses import is_this_machine


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "app.localhost",
        "127.0.0.1",
        "127.0.0.53",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0",
        "0.0.0.0",
        "::",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
        socket.gethostname(),
    ],
)
def test_this_machine(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "no-such-name.invalid", "", "a" * 64 + ".test"]
)
def test_another(host: str) -> None:
    assert not is_this_machine(host)

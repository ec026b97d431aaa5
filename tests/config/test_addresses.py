"""How far an address reaches, in every form that says it."""

import pytest
from tables import each_row

from llm_gateway.config.addresses import Reach, as_resolvers_read, best, reach_of

MACHINE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%lo",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "::ffff:100.100.100.200",
]
NETWORK = [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "224.0.0.1",
    "255.255.255.255",
    "fc00::1",
    "fdff::1",
    "fec0::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:c0a8:101::",
]
OUTSIDE = [
    "9.255.255.255",
    "11.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "198.18.0.1",  # what local proxies answer for every name
    "8.8.8.8",
    "2001:4860:4860::8888",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2002:808:808::",
    "example.com",
    "localhost",  # a name: what counts is what it resolves to
    "",
]


@each_row(
    ("address", "reach"),
    [
        *((a, Reach.MACHINE) for a in MACHINE),
        *((a, Reach.NETWORK) for a in NETWORK),
        *((a, Reach.OUTSIDE) for a in OUTSIDE),
    ],
)
def test_reach(address: str, reach: Reach) -> None:
    assert reach_of(address) is reach


def test_the_older_protocol_where_there_is_a_way() -> None:
    assert best(("::1", "127.0.0.1")) == "127.0.0.1"
    assert best(("::1",)) == "::1"
    assert best(("127.0.0.2", "127.0.0.3")) == "127.0.0.2"


@pytest.mark.parametrize(
    ("host", "read"),
    [
        ("127.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("10.1.2", "10.1.0.2"),
        ("8.8.8.8", "8.8.8.8"),
        ("1.2.3.4.5", "1.2.3.4.5"),
        ("256.1", "256.1"),
        ("0x", "0x"),
        ("x.test", "x.test"),
        ("1.test", "1.test"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_numbers_as_resolvers_read_them(host: str, read: str) -> None:
    assert as_resolvers_read(host) == read

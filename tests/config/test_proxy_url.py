"""Addresses of outbound proxies: what is taken, what is refused, and what is shown."""

import pytest

from llm_gateway.config.proxy_url import ProxyServer, parse_proxy_url

CANARY = "CANARY-password"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://proxy:3128", ProxyServer("http", "proxy", 3128)),
        ("http://proxy", ProxyServer("http", "proxy", 80)),
        ("HTTP://Proxy.Example.COM:8080/", ProxyServer("http", "proxy.example.com", 8080)),
        ("https://proxy.example.com", ProxyServer("https", "proxy.example.com", 443)),
        ("socks5://127.0.0.1", ProxyServer("socks5", "127.0.0.1", 1080)),
        ("socks5h://[::1]:1081", ProxyServer("socks5h", "::1", 1081)),
        ("http://me:secret@proxy:1", ProxyServer("http", "proxy", 1, "me", "secret")),
        ("http://me@proxy:1", ProxyServer("http", "proxy", 1, "me")),
        ("http://me:s%C3%BC%C3%9F@proxy:1", ProxyServer("http", "proxy", 1, "me", "s\u00fc\u00df")),
        ("http://me:a:b@proxy:1", ProxyServer("http", "proxy", 1, "me", "a:b")),
        ("socks5h://a%40b:p%3A%2F@proxy:1", ProxyServer("socks5h", "proxy", 1, "a@b", "p:/")),
    ],
)  # fmt: skip
def test_what_is_taken(text: str, found: ProxyServer) -> None:
    assert parse_proxy_url(text) == found
    assert parse_proxy_url(text, from_environment=True) == found


@pytest.mark.parametrize("text", ["proxy:3128", "proxy", "me:pw@10.0.0.1:3128"])
def test_the_environment_may_leave_out_the_scheme(text: str) -> None:
    assert parse_proxy_url(text, from_environment=True).scheme == "http"
    with pytest.raises(ValueError, match="does not begin with"):
        parse_proxy_url(text)


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("http://me:p@ss@proxy:1", "me", "p@ss"),
        ("me:p@ss:w@proxy:1", "me", "p@ss:w"),
        ("http://me:p%40ss@proxy:1", "me", "p@ss"),
        ("http://me:100%@proxy:1", "me", "100%"),
        ("http://me:%zz%41@proxy:1", "me", "%zzA"),
        (r"http://CORP\me:pw@proxy:1", r"CORP\me", "pw"),
        ("http://me:s\u00fc\u00df@proxy:1", "me", "s\u00fc\u00df"),
        ('http://me:a b|c^d"`@proxy:1', "me", 'a b|c^d"`'),
        ("socks5h://me:a+b=c&d@proxy:1", "me", "a+b=c&d"),
        ("http://@proxy:1", "", ""),
        ("http://:pw@proxy:1", "", "pw"),
    ],
)
def test_the_environment_may_spell_passwords_as_they_are(
    text: str, user: str, password: str
) -> None:
    """As curl and requests read them."""
    found = parse_proxy_url(text, from_environment=True)
    assert (found.host, found.port) == ("proxy", 1)
    assert (found.user, found.password) == (user, password)


@pytest.mark.parametrize("odd", ["/", "?", "#"])
def test_what_ends_a_host_is_no_part_of_a_password(odd: str) -> None:
    """Not even where a host and a port stand before it: curl would ask those, too."""
    for text in (
        f"http://me:{CANARY}{odd}w@proxy:1",
        f"http://me:8{odd}{CANARY}@proxy",
    ):
        with pytest.raises(ValueError, match="host") as refused:
            parse_proxy_url(text, from_environment=True)
        assert CANARY not in str(refused.value)


def test_desktops_say_socks() -> None:
    found = parse_proxy_url("socks://127.0.0.1:7891/", from_environment=True)
    assert found == ProxyServer("socks5h", "127.0.0.1", 7891)
    with pytest.raises(ValueError, match="does not begin with"):
        parse_proxy_url("socks://127.0.0.1:7891/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (f"http://me:{CANARY} @proxy", "spaces"),
        (f"ftp://me:{CANARY}@proxy", "does not begin with"),
        (f"socks4://me:{CANARY}@proxy", "does not begin with"),
        (f"http://me:{CANARY}@", "has no host"),
        (f"http://me:{CANARY}@proxy:99999", "host and port"),
        (f"http://me:{CANARY}@proxy:0", "outside of"),
        (f"http://me:{CANARY}@proxy:80/path", "something after"),
        (f"http://me:{CANARY}@proxy:80?x", "something after"),
        (f"http://me:{CANARY}@b@proxy:80", "odd character"),
        (f"http://me:{CANARY}%zz@proxy:80", "odd character"),
        (f"http://me:{CANARY}%0d%0a@proxy:80", "visible"),
        (f"socks5://me:{CANARY}%C3%BC@proxy:80", "than ASCII"),
        ("http://proxy.example.com/proxy.pac", "PAC file"),
        ("http://wpad/wpad.dat", "PAC file"),
        ("file:///etc/proxy.pac", "PAC file"),
        ("pac+https://proxy.example.com/x", "PAC file"),
        (f"http://a%3Ab:{CANARY}@proxy:80", "colon"),
        (f"http://me:{CANARY}%fc@proxy:80", "UTF-8"),
        (f"socks5://{'a' * 256}:{CANARY}@proxy:80", "more than 255"),
        (f"http://me:{CANARY}@pro xy", "spaces"),
    ],
)
def test_what_is_refused_and_never_repeated(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse_proxy_url(text)
    assert CANARY not in str(refused.value)


def test_what_is_shown_says_no_password() -> None:
    proxy = parse_proxy_url(f"http://me:{CANARY}@[::1]:3128")
    assert proxy.shown == "http://[::1]:3128"
    assert CANARY not in repr(proxy) + str(proxy) + proxy.name

"""By way of which proxy a connection goes: environment, config, this machine."""

import pytest
from tables import each_row

from llm_gateway.config.proxy_url import parse_proxy_url
from llm_gateway.network.proxy_rules import configured, from_environment, without_ours

A, B, C = "http://a:1", "socks5h://b:2", "http://c:3"


@each_row(
    ("env", "scheme", "host", "way"),
    [
        ({}, "https", "x.test", None),
        ({"HTTPS_PROXY": A}, "https", "x.test", A),
        ({"https_proxy": A, "HTTPS_PROXY": B}, "https", "x.test", A),
        ({"https_proxy": "", "HTTPS_PROXY": B}, "https", "x.test", B),
        ({"HTTPS_PROXY": A}, "http", "x.test", None),
        ({"HTTP_PROXY": A}, "http", "x.test", A),
        ({"HTTP_PROXY": A}, "https", "x.test", None),
        ({"ALL_PROXY": B}, "https", "x.test", B),
        ({"ALL_PROXY": B}, "http", "x.test", B),
        ({"all_proxy": C, "HTTPS_PROXY": A}, "https", "x.test", A),
        ({"all_proxy": C, "HTTPS_PROXY": A}, "http", "x.test", C),
        ({"HTTPS_PROXY": "a:1"}, "https", "x.test", A),
        ({"HTTPS_PROXY": A, "NO_PROXY": "x.test"}, "https", "x.test", None),
        ({"HTTPS_PROXY": A, "NO_PROXY": "x.test"}, "https", "y.test", A),
        ({"HTTPS_PROXY": A, "no_proxy": "y.test", "NO_PROXY": "x.test"}, "https", "x.test", A),
        ({"HTTPS_PROXY": A, "NO_PROXY": "*"}, "https", "x.test", None),
        ({"HTTPS_PROXY": A}, "https", "localhost", None),
        ({"HTTPS_PROXY": A}, "https", "127.0.0.1", None),
        ({"HTTPS_PROXY": A}, "https", "::1", None),
        ({"HTTPS_PROXY": A}, "https", "169.254.1.1", None),
        ({"HTTPS_PROXY": A}, "https", "10.0.0.1", A),
        ({"https_proxy": "socks://b:2"}, "https", "x.test", B),
        ({"All_Proxy": B}, "https", "x.test", None),
        ({"ALL_PROXY": "SOCKS5H://b:2/"}, "https", "x.test", B),
        ({"HTTPS_PROXY": " a:1 "}, "https", "x.test", A),
        ({"HTTPS_PROXY": "http://me:p@ss@a:1"}, "https", "x.test", A),
        ({"HTTPS_PROXY": "nonsense://x"}, "https", "x.test", None),
    ],
)  # fmt: skip
def test_the_environment(
    env: dict[str, str], scheme: str, host: str, way: str | None
) -> None:
    rules, complaints = from_environment(env)
    chosen = rules.choose(scheme, host, 443)
    assert (chosen and chosen.shown) == way
    assert bool(complaints) is ("nonsense://x" in env.values())


@pytest.mark.parametrize(
    ("setting", "without", "host", "way"),
    [
        ("none", (), "x.test", None),
        ("env", (), "x.test", A),
        ("env", ("x.test",), "x.test", None),
        ("env", ("x.test",), "e.test", None),
        (B, (), "x.test", B),
        (B, (), "e.test", B),
        (B, ("x.test",), "y.test", B),
        (B, ("x.test",), "x.test", None),
        (B, (), "localhost", None),
    ],
)
def test_the_config_wins(
    setting: str, without: tuple[str, ...], host: str, way: str | None
) -> None:
    env = {"HTTPS_PROXY": A, "NO_PROXY": "e.test"}
    rules, _ = configured(setting, without, env)
    chosen = rules.choose("https", host, 443)
    assert (chosen and chosen.shown) == way


def test_nobody_is_their_own_way_out() -> None:
    """Whoever says it: the environment, the configuration, a provider."""
    rules, _ = from_environment({"HTTPS_PROXY": A, "HTTP_PROXY": C})
    own = {"p": parse_proxy_url(A), "q": parse_proxy_url(B)}
    rest, told = without_ours(rules, own, lambda proxy: proxy.host == "a")
    assert rest.choose("https", "x.test", 443) is None
    assert rest.choose("http", "x.test", 80) == rules.http
    assert rest.ours == {own["p"]}
    assert [line.partition(" is ")[0] for line in told] == [
        "HTTPS_PROXY points at this gateway itself and",
        'The proxy of provider "p"',
    ]
    assert without_ours(rules, own, lambda proxy: False) == (rules, ())

"""Shortcuts give what the originals give, and stand in only where those are known."""

import types
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http, optmanager
from mitmproxy.addons import tlsconfig
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow
from tables import each_row

from llm_gateway.fastpath import shortcuts

names = st.sampled_from([b"Host", b"host", b"HOST", b"accept", b"X-A", b"x-\xff"])
fields = st.lists(st.tuples(names, st.binary(max_size=4)), max_size=6)


@given(fields, names)
def test_headers(fields, name):
    headers = http.Headers(fields)
    as_text = name.decode("utf-8", "surrogateescape")
    values = headers.get_all(name)
    expected = ", ".join(values) if values else "none"
    for key in (name, as_text):
        assert shortcuts.get(headers, key, "none") == expected
        assert shortcuts.contains(headers, key) is bool(values)


def test_a_fork_shares_all_but_the_list_of_layers():
    context = Context(tflow.tflow().client_conn, Options())
    context.layers.append("layer")
    other = shortcuts.fork(context)
    assert vars(other) == vars(context)
    assert other.server is context.server
    assert other.layers is not context.layers


@pytest.mark.parametrize("value", [None, True, 7, "text", ["a"], ("a",)])
def test_option_values(value):
    option = optmanager._Option("name", object, value, "help", None)
    assert shortcuts.current(option) == value == option.current()
    option.value = ["set"]
    assert shortcuts.current(option) == ["set"]
    assert shortcuts.current(option) is not option.value


def test_options_by_name():
    options = Options()
    options.update(mode=["socks5"])
    assert shortcuts.option(options, "mode") == ["socks5"] == options.mode
    assert shortcuts.option(options, "mode") is not options._options["mode"].value
    assert shortcuts.option(options, "rawtcp") is options.rawtcp
    for missing in ("no_such_option", "__deepcopy__"):
        with pytest.raises(AttributeError):
            shortcuts.option(options, missing)


def test_names_of_flows():
    names = [shortcuts.Ids.uuid4() for _ in range(1000)]
    assert len(set(names)) == 1000
    assert {str(uuid.UUID(name)) for name in names} == set(names)
    assert {uuid.UUID(name).version for name in names} == {4}


def test_a_hook_is_made_as_ever():
    flow = tflow.tflow()
    made = shortcuts._made(HttpRequestHook, flow)
    made.__init__(flow)
    assert vars(made) == vars(HttpRequestHook(flow))


@each_row("check", [False, True])
@each_row(
    "authority",
    [
        "127.0.0.1:8080",
        "api.example",
        b"api.example:443",
        "[::1]:80",
        b"xn--bcher-kva.example",
        "no host",
        "host:99999",
        "",
        "a" * 300,
        b"\xff",
    ],
)
def test_authorities(authority, check):
    def outcome(function):
        try:
            return function(authority, check)
        except ValueError:
            return "refused"

    for _ in range(2):
        expected = outcome(shortcuts._parse_authority)
        assert outcome(shortcuts.parse_authority) == expected


class Config:
    def __init__(self):
        self.certstore = types.SimpleNamespace(
            default_ca=types.SimpleNamespace(serial=7)
        )


@pytest.mark.skipif(
    not hasattr(tlsconfig.TlsConfig, "crl_path"), reason="this mitmproxy has no CRLs"
)
def test_the_name_of_the_revocation_list_follows_the_ca():
    config = Config()
    assert shortcuts.crl_path(config) == "/mitmproxy-7.crl"
    assert shortcuts.crl_path(config) is shortcuts.crl_path(config)
    config.certstore.default_ca = types.SimpleNamespace(serial=8)
    assert shortcuts.crl_path(config) == "/mitmproxy-8.crl"


# parse_authority


def original():
    return "original"

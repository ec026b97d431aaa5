"""What is taken out of mitmproxy, what stays, and that hooks still reach everyone."""

import gc
import logging
import socket
from types import SimpleNamespace

import pytest
from mitmproxy import exceptions, hooks
from mitmproxy.log import LegacyLogEvents
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from llm_gateway.fastpath import addon_pruning, hook_dispatch
from llm_gateway.transport import listeners as lean_listeners


@pytest.fixture
async def master():
    """A whole mitmdump that listens nowhere."""
    root = logging.getLogger()
    before = list(root.handlers)
    master = DumpMaster(Options(), with_termlog=False)
    yield master
    await master.done()
    root.handlers[:] = before


# What goes


async def test_a_mitmdump_without_options_keeps_what_carries_traffic(master):
    lean_listeners.set_options(master.options)
    master.options.update(listen_host="127.0.0.1")
    gone = addon_pruning.prune(master)

    assert set(gone) == set(addon_pruning.PRUNED)
    assert set(master.addons.lookup) == {
        "core",
        "clientplayback",
        "disableh2c",
        "proxyserver",
        "scriptloader",
        "dnsresolver",
        "nextlayer",
        "tlsconfig",
        "keepserving",
        "readfilestdin",
        "errorcheck",
    }


async def test_every_name_in_the_table_is_an_addon_of_this_mitmproxy(master):
    assert set(addon_pruning.PRUNED) <= set(master.addons.lookup)


async def test_pruning_twice_takes_nothing_more(master):
    lean_listeners.set_options(master.options)
    addon_pruning.prune(master)
    assert addon_pruning.prune(master) == ()


@pytest.mark.parametrize(
    ("option", "value", "addon"),
    [
        ("anticache", True, "anticache"),
        ("anticomp", True, "anticomp"),
        ("block_list", [":~d evil.example:444"], "blocklist"),
        ("map_remote", ["|//a.example|//b.example"], "mapremote"),
        ("modify_body", ["/~q/a/b"], "modifybody"),
        ("modify_headers", ["/~q/x-a/b"], "modifyheaders"),
        ("stickyauth", ".*", "stickyauth"),
        ("stickycookie", ".*", "stickycookie"),
        ("proxyauth", "any", "proxyauth"),
        ("upstream_auth", "user:pass", "upstreamauth"),
        ("hardump", "-", "savehar"),
        ("listen_host", "", "block"),
        ("listen_host", "0.0.0.0", "block"),
        ("mode", ["regular@192.0.2.1:8080"], "block"),
        ("flow_detail", 2, "dumper"),
        ("dumper_filter", "~d api.example", "dumper"),
        ("mode", ["reverse:http://127.0.0.1:1"], "updatealtsvc"),
        ("mode", ["local:curl"], "stripdnshttpsrecords"),
    ],
)
async def test_an_addon_that_has_work_stays(master, option, value, addon):
    lean_listeners.set_options(master.options)
    master.options.update(**{"listen_host": "127.0.0.1", option: value})
    assert addon not in addon_pruning.prune(master)
    assert addon in master.addons.lookup


async def test_a_file_to_save_to_keeps_the_saver(master, tmp_path):
    master.options.update(save_stream_file=str(tmp_path / "flows"))
    assert "save" not in addon_pruning.prune(master)


async def test_where_a_person_looks_at_flows_nothing_goes(master):
    master.addons.add(SimpleNamespace(name="view"))
    assert addon_pruning.prune(master) == ()
    assert "cut" in master.addons.lookup


@pytest.mark.parametrize(
    ("mode", "plain"),
    [
        ("regular", True),
        ("regular@9000", True),
        ("upstream:http://proxy.example:3128", True),
        ("socks5", True),
        ("reverse:https://api.example", False),
        ("local:curl", False),
        ("wireguard", False),
        ("dns@5353", False),
        ("transparent", False),
    ],
)
def test_modes(mode, plain):
    assert addon_pruning._only_plain_modes(SimpleNamespace(mode=[mode])) is plain
    assert (
        addon_pruning._only_plain_modes(SimpleNamespace(mode=["regular", mode]))
        is plain
    )


# Options


async def test_options_leave_validation_on_and_connect_late(master):
    lean_listeners.set_options(master.options)
    assert master.options.validate_inbound_headers is True
    assert master.options.connection_strategy == "lazy"
    assert master.options.upstream_cert is False
    assert master.options.onboarding is False
    assert master.options.flow_detail == 0


@pytest.mark.parametrize("detail", [0, 2, 3, 4])
async def test_a_flow_detail_that_was_asked_for_stays(master, detail):
    master.options.update(flow_detail=detail)
    lean_listeners.set_options(master.options)
    assert master.options.flow_detail == detail


# Where it listens


@pytest.fixture
async def listening(master):
    """A mitmdump that listens everywhere, on a port from the system."""
    master.options.update(listen_host="", listen_port=0, server=True)
    proxy = master.addons.get("proxyserver")
    assert await proxy.setup_servers()
    yield proxy
    await proxy.servers.update([])


async def test_what_load_says_too_late_holds_from_running_on(master, listening):
    assert {address[0] for address in listening.listen_addrs()} & {"0.0.0.0", "::"}
    master.options.update(listen_host="127.0.0.1")
    await lean_listeners.listen(master)
    assert {address[0] for address in listening.listen_addrs()} == {"127.0.0.1"}


async def test_a_port_that_comes_late(master, listening):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    master.options.update(listen_host="127.0.0.1", listen_port=port)
    await lean_listeners.listen(master)
    assert listening.listen_addrs() == [("127.0.0.1", port)]


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
async def test_who_listens_as_told_is_left_alone(master, listening, host):
    before = listening.listen_addrs()
    master.options.update(listen_host=host)
    await lean_listeners.listen(master)
    assert listening.listen_addrs() == before


async def test_many_may_wait_to_be_accepted(master, listening):
    lean_listeners.raise_backlog(master, 1)
    host, port, *_ = listening.listen_addrs()[0]
    with socket.create_connection((host, port)):
        pass


# The garbage collector


@pytest.fixture
def collector():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.parametrize(
    ("young", "expected"), [(700, 5_000), (50_000, 50_000), (0, 0)]
)
def test_the_collector_comes_less_often_unless_told_otherwise(
    collector, young, expected
):
    gc.set_threshold(young)
    addon_pruning.unburden_collector()
    assert gc.get_threshold()[0] == expected


# Log records


async def test_the_bridge_to_add_log_goes_when_nobody_listens(master):
    addon_pruning.cheapen_log_records(Verbose(master, "info"))
    assert not bridges()


async def test_the_bridge_to_add_log_stays_where_everything_is_to_be_seen(master):
    addon_pruning.cheapen_log_records(Verbose(master, "debug"))
    assert bridges()


async def test_the_bridge_to_add_log_stays_for_who_listens(master):
    master.addons.chain.append(SimpleNamespace(add_log=lambda entry: None))
    addon_pruning.cheapen_log_records(Verbose(master, "info"))
    assert bridges()


class Verbose:
    """A master as mitmdump has it: with the option that its termlog adds."""

    def __init__(self, master, termlog_verbosity):
        self.addons = master.addons
        self.options = SimpleNamespace(termlog_verbosity=termlog_verbosity)


def bridges():
    return [h for h in logging.getLogger().handlers if isinstance(h, LegacyLogEvents)]


# Dispatch: the same calls in the same order as mitmproxy's own


class Listener:
    def __init__(self, name, heard, *, error=None, addons=()):
        self.name, self.heard, self.error = name, heard, error
        self.addons = list(addons)

    def request(self, flow):
        self.heard.append(self.name)
        if self.error:
            raise self.error


class AsyncListener(Listener):
    async def request(self, flow):
        Listener.request(self, flow)


class Updated:
    def __init__(self, heard):
        self.name, self.heard = "updated", heard

    def update(self, flows):
        self.heard.append(("update", len(flows)))


def listeners(heard):
    return [
        Listener("a", heard),
        AsyncListener("b", heard),
        Listener("c", heard, error=ValueError("c broke")),
        Listener(
            "d",
            heard,
            addons=[
                AsyncListener("d1", heard, error=ValueError("d1 broke")),
                Listener("d2, never reached", heard),
            ],
        ),
        Updated(heard),
        Listener("e", heard, error=exceptions.AddonHalt()),
        Listener("f, never reached", heard),
    ]


@pytest.mark.parametrize("lean_dispatch", [False, True])
async def test_everyone_hears_as_before(master, caplog, lean_dispatch):
    heard = []
    master.addons.chain, master.addons.lookup = [], {}
    master.addons.add(*listeners(heard))
    if lean_dispatch:
        hook_dispatch.install(master.addons)

    hook = HttpRequestHook(tflow.tflow())
    await master.addons.handle_lifecycle(hook)

    assert heard == ["a", "b", "c", "d", "d1", "e", ("update", 1)]
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert errors == ["Addon error: c broke", "Addon error: d1 broke"]


async def test_who_comes_and_goes_is_noticed(master):
    heard = []
    hook_dispatch.install(master.addons)
    hook = HttpRequestHook(tflow.tflow())
    first, second = Listener("first", heard), Listener("second", heard)

    master.addons.add(first)
    await master.addons.handle_lifecycle(hook)
    master.addons.add(second)
    await master.addons.handle_lifecycle(hook)
    master.addons.remove(first)
    await master.addons.handle_lifecycle(hook)

    assert heard == ["first", "first", "second", "second"]


async def test_an_options_error_is_for_the_caller(master):
    master.addons.add(Refusing())
    hook_dispatch.install(master.addons)
    with pytest.raises(exceptions.OptionsError, match="no such mode"):
        await master.addons.trigger_event(hooks.ConfigureHook(set()))


class Refusing:
    def configure(self, updated):
        if not updated:
            raise exceptions.OptionsError("no such mode")


async def test_installing_twice_wraps_once(master):
    hook_dispatch.install(master.addons)
    once = master.addons.register
    hook_dispatch.install(master.addons)
    assert master.addons.register is once

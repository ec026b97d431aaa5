"""`llm-gateway serve`: which loop, which interpreter, which script; the options pass through."""

import asyncio
import sys

import pytest

from llm_gateway.cli import serve


class Restarted(Exception):
    pass


@pytest.fixture
def restarts(monkeypatch):
    """Commands that took this process's place."""
    seen = []

    def execv(path, command):
        seen.append((path, command))
        raise Restarted

    monkeypatch.setattr(serve.os, "execv", execv)
    return seen


def test_it_becomes_an_optimized_interpreter_with_every_option(monkeypatch, restarts):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    options = [
        "--mode",
        "local:curl",
        "-p",
        "9000",
        "--set",
        "flow_detail=2",
        "~d a.example",
    ]
    with pytest.raises(Restarted):
        serve.serve(options)
    command = [sys.executable, "-O", "-m", "llm_gateway", "serve", *options]
    assert restarts == [(sys.executable, command)]


def test_where_bytecode_is_not_kept_assertions_stay(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert not serve.should_optimize()


def test_the_script_is_the_one_beside_the_package():
    assert serve.script().name == "gateway.py"
    assert "Gateway" in serve.script().read_text()


def test_the_loop_works_with_eager_tasks():
    factory, word = serve.loop_factory()
    assert (factory is None) == bool(word)
    if factory is not None:
        assert serve.runs_eagerly(factory)


class Choosy(asyncio.SelectorEventLoop):
    """A loop that hands its task factory what this Python does not know."""

    def create_task(self, coro, **kwargs):
        raise TypeError("factory() got an unexpected keyword argument 'eager_start'")


def test_a_loop_that_fails_with_eager_tasks_is_found_out():
    assert serve.runs_eagerly(asyncio.SelectorEventLoop)
    assert not serve.runs_eagerly(Choosy)


class Marked(asyncio.SelectorEventLoop):
    pass


async def which_loop():
    return type(asyncio.get_running_loop())


def test_asyncio_run_uses_the_loop_for_as_long_as_the_block_lasts():
    with serve.asyncio_runs_on(Marked):
        assert asyncio.run(which_loop()) is Marked
    assert asyncio.run(which_loop()) is not Marked


def test_without_a_factory_nothing_changes():
    before = asyncio.run
    with serve.asyncio_runs_on(None):
        assert asyncio.run is before


def test_the_options_reach_mitmdump(monkeypatch):
    import mitmproxy.tools.main

    called = []
    monkeypatch.setattr(mitmproxy.tools.main, "mitmdump", called.append)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert serve.serve(["-p", "0", "--set", "a=b"]) == 0
    here = ["--listen-host", "127.0.0.1"]
    assert called == [["-s", str(serve.script()), *here, "-p", "0", "--set", "a=b"]]


@pytest.mark.parametrize(
    ("argv", "port", "expected"),
    [
        ([], "", ["--listen-host", "127.0.0.1"]),
        ([], "9", ["--listen-host", "127.0.0.1", "--listen-port", "9"]),
        (["-p", "8"], "9", ["--listen-host", "127.0.0.1"]),
        (["-p8"], "9", ["--listen-host", "127.0.0.1"]),
        (["--listen-port=8"], "9", ["--listen-host", "127.0.0.1"]),
        (["--set", "listen_port=8"], "9", ["--listen-host", "127.0.0.1"]),
        (["--listen-host", "0.0.0.0"], "", []),
        (["--listen-host=0.0.0.0"], "", []),
        (["--set", "listen_host=0.0.0.0"], "9", ["--listen-port", "9"]),
    ],
)
def test_where_it_listens_is_said_before_the_port_opens(argv, port, expected):
    assert serve.defaults(argv, {"PORT": port}) == expected

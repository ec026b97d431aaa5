"""`llm-gateway serve`: mitmdump with our script, on uvloop and with `python -O`.

It is the same program as `mitmdump -s addon/gateway.py`, and takes the same options. What
is different is the interpreter around it: uvloop carries the sockets where it is installed
and works with this Python, and assertions are compiled out (mitmproxy's data classes check
their types with them, for each message).

Knows nothing of the gateway but where its script lies.
"""

import argparse
import asyncio
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import llm_gateway
from llm_gateway.cli.help_text import command_parser

ABOUT = (
    "Start the gateway, with its dashboard. It is mitmdump with the gateway's script, and "
    "takes every option of it: mitmdump --help has them."
)
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def serve(argv: Sequence[str]) -> int:
    """Run until stopped; the exit code is mitmdump's. `argv`: options of mitmdump."""
    if argv and argv[0] in ("-h", "--help"):
        help_parser().print_help()
        return 0
    if should_optimize():
        restart_optimized(argv)
    factory, word = loop_factory()
    if word:
        print(f"llm-gateway: {word}", file=sys.stderr)
    # Late: `-O` replaces this process, there is no need to import all that twice.
    from mitmproxy.tools.main import mitmdump

    os.umask(0o077)  # the CA's folder is made before the script is loaded
    with asyncio_runs_on(factory):
        mitmdump(["-s", str(script()), *defaults(argv, os.environ), *argv])
    return 0


def help_parser() -> argparse.ArgumentParser:
    """For its help alone: mitmdump reads the options, and has some eighty more."""
    parser = command_parser("serve", ABOUT)
    parser.add_argument("--listen-port", metavar="PORT", help="default PORT, else 8080")
    parser.add_argument(
        "--listen-host",
        metavar="HOST",
        help="default 127.0.0.1; beyond this machine clients need keys of their own",
    )
    parser.add_argument(
        "--set",
        metavar="OPTION=VALUE",
        help="gateway_config, gateway_db (files), gateway_dashboard_port (0: none), "
        "or any option of mitmproxy",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="only errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="more of the log")
    return parser


def defaults(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """What the script would set, said before mitmproxy opens its port: 127.0.0.1 only,
    and `PORT`. Nothing of it where the options say something else."""
    said = " ".join(argv)
    options = []
    if "listen-host" not in said and "listen_host" not in said:
        options += ["--listen-host", "127.0.0.1"]
    port = env.get("PORT", "")
    short = any(part.startswith("-p") for part in argv)
    if port and not short and "listen-port" not in said and "listen_port" not in said:
        options += ["--listen-port", port]
    return options


def script() -> Path:
    """The file that mitmdump loads: beside the package in a checkout, inside it in a wheel."""
    package = Path(llm_gateway.__file__).parent
    beside = package.parent / "gateway.py"
    return beside if beside.exists() else package / "data" / "gateway.py"


# python -O


def should_optimize() -> bool:
    """Not when it is on already, and not where the compiled modules could not be kept:
    compiling mitmproxy anew costs two seconds at each start. Windows has no exec."""
    return __debug__ and not sys.dont_write_bytecode and os.name == "posix"


def restart_optimized(argv: Sequence[str]) -> NoReturn:
    """Become `python -O -m llm_gateway serve ...`: same process, same environment."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-O", "-m", "llm_gateway", "serve", *argv]
    os.execv(sys.executable, command)


# uvloop


def loop_factory() -> tuple[LoopFactory | None, str]:
    """What makes event loops, None for asyncio's own; and what there is to say about it."""
    if os.name == "nt":
        return None, ""
    if importlib.util.find_spec("uvloop") is None:
        return None, "uvloop is not installed; `pip install uvloop` saves some CPU"
    try:
        # libuv hands epoll's changes to io_uring, which costs more than it saves here.
        os.environ.setdefault("UV_USE_IO_URING", "0")
        import uvloop

        if not runs_eagerly(uvloop.new_event_loop):
            python = ".".join(map(str, sys.version_info[:3]))
            return (
                None,
                f"uvloop {version('uvloop')} fails on Python {python}, left out",
            )
        return uvloop.new_event_loop, ""
    except Exception as error:
        return None, f"uvloop cannot be used, left out: {error!r}"


def runs_eagerly(factory: LoopFactory) -> bool:
    """Does this loop work with the eager tasks that mitmproxy uses from Python 3.12 on?

    uvloop 0.23.0 hands the task factory an argument that Python 3.13.0 does not know.
    """
    loop = factory()
    answer = _answer()
    try:
        if sys.version_info >= (3, 12):
            loop.set_task_factory(asyncio.eager_task_factory)
        return loop.run_until_complete(answer)
    except TypeError:
        answer.close()
        return False
    finally:
        loop.close()


async def _answer() -> bool:
    return True


@contextmanager
def asyncio_runs_on(factory: LoopFactory | None) -> Iterator[None]:
    """`asyncio.run`, which mitmproxy calls, uses this loop for as long as the block lasts.

    The other way, an event loop policy, is deprecated from Python 3.14 on.
    """
    if factory is None:
        yield
        return
    original = asyncio.run

    @functools.wraps(original)
    def run(main: Any, *, debug: bool | None = None, **_: Any) -> Any:
        with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
            return runner.run(main)

    asyncio.run = run
    try:
        yield
    finally:
        asyncio.run = original

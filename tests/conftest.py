"""For all tests. hypothesis takes the same examples each time, so that a suite that passed
passes again; `HYPOTHESIS_PROFILE=thorough` takes five times as many (see `examples.py`),
`explore` looks for new ones. A busy machine is no failure: no example has a deadline.
"""

import gc
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from http2_missing import NoHttp2
from hypothesis import HealthCheck, settings
from slow_files import SECONDS

from llm_gateway.mitm_compat.h2_version import too_old

HERE = Path(__file__).parent

settings.register_profile(
    "gateway",
    deadline=None,
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("gateway"), max_examples=75)
settings.register_profile(
    "explore",
    deadline=None,
    max_examples=1000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gateway"))

# Without bytecode, every worker would compile every test and every gateway that a test
# starts all of its own modules: a second and more of CPU for each of some hundred starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """The gateway speaks no HTTP/2 where the library for it is too old."""
    with http2_or_skip():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, object, object]:
    """The same for what a test is given."""
    with http2_or_skip():
        return (yield)


@contextmanager
def http2_or_skip() -> Iterator[None]:
    try:
        yield
    except NoHttp2:
        if too_old():
            pytest.skip("h2 is too old here: the gateway speaks HTTP/1.1 only")
        raise


_ALL_START_ONE = re.compile(r"^pytestmark = .*\bmark\.process\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m 'not process'` does not even import files in which each test starts one."""
    if config.option.markexpr != "not process" or collection_path.suffix != ".py":
        return None
    return bool(_ALL_START_ONE.search(collection_path.read_text("utf-8"))) or None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n auto`: tests that start a process wait for the most part, so two run on a core;
    the others compute."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    cores = cores or os.cpu_count() or 1
    return cores if "not process" in config.option.markexpr else 2 * cores


# -- tests that start a process ------------------------------------------------------

STARTS_A_PROCESS = frozenset({"confdir", "chromium", "small"})
"""Fixtures that only tests ask for, directly or not, that start a process: they get the
marker `process` without being told. The others say `pytest.mark.process` themselves."""

_STARTS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork"})
"""Audit events of Python."""

_unmarked: list[str] = []
"""The test that runs now, while it may not start a process."""


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One mitmproxy CA for all mitmdumps of a run: making it costs half a second."""
    return tmp_path_factory.mktemp("confdir")


def pytest_configure(config: pytest.Config) -> None:
    """Files are handed out as they are sorted here, not by their number of tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nearly all that is made while collecting stays: looking for garbage in between costs
    a seventh of it, and finds none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    started: Counter[Path] = Counter()
    for item in items:
        if not STARTS_A_PROCESS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)
        if item.get_closest_marker("process"):
            started[item.path] += 1
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # The dear ones first: at the end, no worker waits for another one's long file.
        seconds = {HERE / name: taken for name, taken in SECONDS.items()}
        items.sort(key=lambda i: (-seconds.get(i.path, 0), -started[i.path]))


def pytest_collection_finish() -> None:
    """Some thousand tests are there to stay: who collects garbage need not look at them."""
    # SDKs name their platform in a header, for which Python asks `uname` once.
    platform.platform()
    sys.addaudithook(_refuse)  # for good: each event from now on costs a call
    gc.collect()
    gc.freeze()
    # What is made from here on is looked through less often: tests are short.
    gc.set_threshold(20_000, 20, 20)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if _unmarked and event in _STARTS:
        pytest.fail(
            f"{_unmarked[0]} starts a process: mark it with pytest.mark.process"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """So `-m "not process"` is what it says, for tests that are still to be written."""
    if not item.get_closest_marker("process"):
        _unmarked.append(item.nodeid)
    try:
        return (yield)
    finally:
        _unmarked.clear()

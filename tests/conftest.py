"""For all tests. hypothesis takes the same examples each time, so that a suite that passed
passes again; `HYPOTHESIS_PROFILE=explore` looks for new ones. A busy machine is no
failure: no example has a deadline.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from fakes import NoHttp2
from hypothesis import HealthCheck, settings

from llm_gateway.mitm_compat.h2_version import too_old

settings.register_profile(
    "gateway",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore",
    deadline=None,
    max_examples=1000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gateway"))


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

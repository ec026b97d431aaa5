"""Gateways for one test, or for all tests of a module."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import GatewayProcess

Start = Callable[..., GatewayProcess]


@contextmanager
def starting(where: Path, confdir: Path) -> Iterator[Start]:
    """`start(config, **more)`: a running gateway, ended with whatever began it.

    At its end each one also shows that no hook of ours failed on the way.
    """
    running: list[GatewayProcess] = []

    def started(config: Any, **more: Any) -> GatewayProcess:
        folder = where / f"gateway-{len(running)}"
        folder.mkdir()
        gateway = GatewayProcess(folder, config, confdir=confdir, **more)
        running.append(gateway)
        gateway.start()
        return gateway

    yield started
    logs = [gateway.log() for gateway in running]
    for gateway in running:
        gateway.__exit__(None, None, None)
    for log in logs:
        assert "Traceback" not in log, log
        assert "Addon error" not in log, log


@pytest.fixture
def start(tmp_path: Path, confdir: Path) -> Iterator[Start]:
    """Gateways of one test."""
    with starting(tmp_path, confdir) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared(
    tmp_path_factory: pytest.TempPathFactory, confdir: Path
) -> Iterator[Start]:
    """Gateways that all tests of a module share."""
    with starting(tmp_path_factory.mktemp("shared"), confdir) as start:
        yield start


@pytest.fixture(scope="module")
def running(start_shared: Start) -> GatewayProcess:
    return start_shared({"providers": []})


Serve = Callable[[Any], GatewayProcess]


@pytest.fixture
def serve(running: GatewayProcess) -> Serve:
    """`serve(config)`: the module's gateway, which takes that configuration now.

    What it remembers of providers goes with them; its ledger keeps the other tests' rows.
    """

    def configured(config: Any) -> GatewayProcess:
        running.write_config(config)
        status, _, said = running.ask("POST", "/admin/reload", headers=running.admin)
        assert status == 200, said
        return running

    return configured

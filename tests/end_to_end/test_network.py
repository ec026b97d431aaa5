"""The network as people have it: dead addresses beside living ones."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeProvider
from fakes.black_hole import black_hole

from gateway import GatewayProcess, provider

from .conftest import Start

RESOLVER = str(Path(__file__).parents[1] / "fakes" / "addresses.py")


@pytest.fixture(scope="module")
def alive() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start, alive: FakeProvider) -> Iterator[GatewayProcess]:
    """`twofold` has a dead and a living address, `dead` only the dead one."""
    names = {
        "twofold.localhost": ["127.0.0.2", "127.0.0.1"],
        "mixed.localhost": ["::1", "127.0.0.1"],
    }
    config = {
        "providers": [
            provider(
                alive, name, name, baseURL=f"http://{name}.localhost:{alive.port}/v1"
            )
            for name in ("twofold", "mixed")
        ]
    }
    with black_hole("127.0.0.2", alive.port), black_hole("::1", alive.port):
        yield start_shared(
            config,
            env={"TEST_ADDRESSES": json.dumps(names)},
            arguments=("-s", RESOLVER),
        )


@pytest.mark.parametrize("name", ["twofold", "mixed"])
def test_a_name_with_a_dead_address_is_answered(
    gateway: GatewayProcess, name: str
) -> None:
    """The first time a moment later, from then on at once; nobody gets a strike."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        status, headers, body = gateway.chat(name)
        took.append(time.monotonic() - began)
        assert (status, headers["x-gateway-attempts"]) == (200, "1"), body
    assert took[0] < 2
    assert min(took[1:]) < 0.2
    assert not gateway.rows("select * from events where kind = 'circuit'")

"""A catalogue that is updated while the gateway runs: limits follow, nothing is fetched, and
nothing that is wrong with it stops the gateway."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeProvider
from fakes.binds import binds_of, reached

from gateway import GatewayProcess
from llm_gateway.cli import main

from .conftest import Start

LITE = {
    "id": "google/gemini-3.5-flash-lite",
    "provider": "google",
    "models": ["gemini-3.5-flash-lite*"],
    "limits": {"requestsPerDay": 700},
    "hard_stop": None,
    "trains_on_prompts": "yes",
    "source": "its page",
}
TODAY = datetime.now(UTC).date().isoformat()
TOMORROW = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
DAYS = "select amount, source from limit_state where metric = 'requests' and window = 'day'"
Update = Callable[..., int]


def config(fake: FakeProvider) -> dict[str, Any]:
    google = {
        "id": "g",
        "type": "google",
        "tier": "free",
        "baseURL": f"{fake.base_url}/v1beta/openai",
        "apiKey": "AIza-CANARY",
        "models": [{"name": "gemini-3.5-flash-lite"}, {"name": "gemma-3-27b-it"}],
    }
    return {"providers": [google]}


def a_day(gateway: GatewayProcess, amount: int) -> None:
    gateway.wait_rows(DAYS, lambda rows: amount in [row["amount"] for row in rows])


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def gateway(start_shared: Start, fake: FakeProvider, watched: Path) -> GatewayProcess:
    return start_shared(config(fake), env=binds_of(watched))


@pytest.fixture
def update(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Update:
    """`llm-gateway catalog update` with one entry; the exit code."""

    def update(as_of: str, **changes: Any) -> int:
        entry = {**LITE, "as_of": as_of, **changes}
        path = tmp_path / "new.json"
        path.write_text(
            json.dumps({"format": 1, "as_of": as_of, "free_tiers": [entry]})
        )
        monkeypatch.setenv("LLM_GATEWAY_HOME", str(gateway.home))
        return main(["catalog", "update", str(path)])

    return update


def test_a_running_gateway_follows_its_updates(
    gateway: GatewayProcess, fake: FakeProvider, watched: Path, update: Update
) -> None:
    assert gateway.chat("gemini-3.5-flash-lite")[0] == 200
    a_day(gateway, 500)
    before = gateway.config_path.read_bytes()

    assert update(TODAY) == 0
    a_day(gateway, 700)
    assert gateway.chat("gemini-3.5-flash-lite")[0] == 200

    assert update(TODAY, limits={"requestsPerDay": 900}) == 0  # no younger
    assert update(YESTERDAY, limits={"requestsPerDay": 901}) == 0
    assert update("9999-12-31", limits={"requestsPerDay": 902}) == 1
    assert update(TOMORROW, limits={"requestsPerDay": -1}) == 1
    assert [r["amount"] for r in gateway.rows(DAYS) if r["amount"] >= 700] == [
        700,
        14400,
    ]

    # What is over is asked no longer, since it may cost money; all else serves on.
    assert update(TOMORROW, status="ended", note="card needed") == 0
    gateway.wait_for(
        lambda: gateway.chat("gemini-3.5-flash-lite")[0] != 200, "it is left out"
    )
    _, _, answer = gateway.get("/route?model=gemini-3.5-flash-lite")
    (candidate,) = answer["candidates"]
    assert f"its free tier ended: card needed (as of {TOMORROW})" in str(candidate)
    assert gateway.chat("gemma-3-27b-it")[0] == 200

    # A file that cannot be used is said, and the packaged one holds.
    (gateway.home / "catalog.json").write_text("{")
    gateway.wait_log("The packaged catalogue is used")
    gateway.wait_for(
        lambda: gateway.chat("gemini-3.5-flash-lite")[0] == 200, "it is back"
    )
    a_day(gateway, 500)
    assert gateway.config_path.read_bytes() == before
    assert reached(watched) <= {f"127.0.0.1 {fake.port}", f"127.0.0.1 {gateway.port}"}


def test_a_start_uses_what_is_kept(
    start: Start, fake: FakeProvider, gateway: GatewayProcess, update: Update
) -> None:
    (gateway.home / "catalog.json").unlink(missing_ok=True)
    assert update(TODAY, status="ended") == 0
    second = start(config(fake), env={"LLM_GATEWAY_HOME": str(gateway.home)})
    status, _, answer = second.chat("gemini-3.5-flash-lite")
    assert status != 200, answer
    assert second.chat("gemma-3-27b-it")[0] == 200

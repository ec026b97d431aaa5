"""Coding agents in the middle of a tool loop, from vendor to vendor and back: opencode over chat,
Claude Code over Messages, Codex over Responses, each asked twice in one session.

The short form of `make agents`: each vendor once as a source and once as a target. No vendor is
known, so that each has to teach what it refuses: once. Skipped where they are not installed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from vendors.agents import AGENTS, ROUTING, VENDORS, Agent
from vendors.stage import VendorStage, served, short_moves

from gateway import GatewayProcess

from .conftest import Start

pytestmark = [pytest.mark.process, pytest.mark.apps, pytest.mark.timeout(900)]

Served = tuple[VendorStage, GatewayProcess]


@pytest.fixture(scope="module")
def vendors(start_shared: Start) -> Iterator[Served]:
    stage = VendorStage(VENDORS, "chat", known=False)
    with served(stage, start_shared, routing=ROUTING) as gateway:
        yield stage, gateway


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_turn_is_answered_wherever_it_goes(
    vendors: Served, agent: Agent, tmp_path: Path
) -> None:
    if agent.missing:
        pytest.skip(f"{agent.missing} is not installed: see .ci/run")
    stage, gateway = vendors
    url = f"http://127.0.0.1:{gateway.port}"
    first = 100 * AGENTS.index(agent) + 1
    assert agent.run(url, short_moves(stage, first, agent.dialect), tmp_path) == {}
    own = stage.speaking(agent.dialect)
    assert [stage.seen[n].wrong for n in own] == [[] for _ in own]
    taught = gateway.rows(
        "select provider, reason from attempts where outcome = 'repaired'"
    )
    general = [t for t in taught if "state:" not in t["reason"]]
    assert len({(t["provider"], t["reason"]) for t in general}) == len(general)


def test_nothing_is_refused_after_a_restart(vendors: Served, tmp_path: Path) -> None:
    there = [agent for agent in AGENTS if not agent.missing]
    if not there:
        pytest.skip("no agent is installed: see .ci/run")
    stage, gateway = vendors
    gateway.stop()
    gateway.start()
    before = [seen.refused.copy() for seen in stage.seen]
    url = f"http://127.0.0.1:{gateway.port}"
    for n, agent in enumerate(there):
        some = short_moves(stage, 900 + 10 * n, agent.dialect)[:2]
        assert agent.run(url, some, tmp_path) == {}
    assert [seen.refused for seen in stage.seen] == before

"""Coding agents in the middle of a tool loop, from vendor to vendor and back: opencode over chat,
Claude Code over Messages, Codex over Responses, each asked twice in one session.

The short form of `make agents`: each vendor once as a source and once as a target; of opencode,
which starts slowly, some of them, and all with `FULL_MATRIX=1`. No vendor is known, so that each
has to teach what it refuses: once. Skipped where they are not installed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import FULL_MATRIX
from vendors.agents import AGENTS, ROUTING, VENDORS, Agent
from vendors.stage import VendorStage, served, short_moves
from vendors.talk import Move

from gateway import GatewayProcess

from .conftest import Start

pytestmark = [pytest.mark.process, pytest.mark.apps, pytest.mark.timeout(900)]

Served = tuple[VendorStage, GatewayProcess]


@pytest.fixture(scope="module")
def vendors(start_shared: Start) -> Iterator[Served]:
    stage = VendorStage(VENDORS, "chat", known=False)
    with served(stage, start_shared, routing=ROUTING) as gateway:
        yield stage, gateway


def ring(stage: VendorStage, agent: Agent, first: int = 1) -> list[Move]:
    most = 0 if FULL_MATRIX else agent.most
    number = 1000 * AGENTS.index(agent) + first
    return short_moves(stage, number, agent.dialect, most)


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_turn_is_answered_wherever_it_goes(
    vendors: Served, agent: Agent, tmp_path: Path
) -> None:
    if agent.missing:
        pytest.skip(f"{agent.missing} is not installed: see .ci/run")
    stage, gateway = vendors
    url = f"http://127.0.0.1:{gateway.port}"
    assert agent.run(url, ring(stage, agent), tmp_path) == {}
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
    url = f"http://127.0.0.1:{gateway.port}"
    for agent in there:
        if not any(stage.seen[n].requests for n in stage.speaking(agent.dialect)):
            assert agent.run(url, ring(stage, agent, 800)[:1], tmp_path) == {}
    gateway.stop()
    gateway.start()
    before = [seen.refused.copy() for seen in stage.seen]
    url = f"http://127.0.0.1:{gateway.port}"
    for agent in there:
        assert agent.run(url, ring(stage, agent, 900)[:1], tmp_path) == {}
    assert [seen.refused for seen in stage.seen] == before

"""What members are configured with differently, and who is missing: found, and said once."""

from pathlib import Path
from typing import Any

import pytest
from fakes.counter_server import CounterServer
from providers.sending import catalog_of

from .inside import Inside, Member, provider, until

pytestmark = pytest.mark.process
ONE = {"requestsPerDay": 100, "costPerDay": 0.35}
OTHER_KEY = {"apiKey": "sk-of-another-account"}


# What the second member is changed to, one after the other, and what differs then.
CHANGES: list[tuple[dict[str, Any], set[str]]] = [
    ({"limits": {**ONE, "requestsPerDay": 60}}, {"requests/day on p: a 100, b 60"}),
    (
        {"limits": {"requestsPerDay": 0}},
        {"cost/day on p: a $0.35, b none", "requests/day on p: a 100, b 0"},
    ),
    ({"limits": ONE}, set()),
    ({}, {"cost/day on p: a $0.35, b none", "requests/day on p: a 100, b none"}),
    # An account of its own: what it allowed of the other one is nobody's business now.
    ({"limits": {"requestsPerDay": 7}, **OTHER_KEY}, set()),
    (
        {"limits": {**ONE, "tokensPerHour": 9}},
        {"tokens/hour on p: a none, b 9"},
    ),
]


async def test_what_members_allow_differently(
    server: CounterServer, tmp_path: Path
) -> None:
    async with Inside(
        tmp_path,
        provider(limits=ONE),
        server.url,
        *("a", "b"),
        cluster={"name": "differences"},
    ) as members:
        a, b = members

        def known(member: Member) -> set[str]:
            return {str(one) for one in member.service.differences.now()}

        assert known(a) == known(b) == set()
        for more, want in CHANGES:
            a.events.clear()
            before = known(a)
            await b.change(catalog_of(provider(**more)))
            await until(lambda want=want: known(a) == known(b) == want)
            [said] = a.events if want - before else [""]
            assert all(text in said for text in want - before)
        b.service.members.forget("a")
        assert not known(b)


async def test_who_is_missing_after_the_counters_began_anew(
    server: CounterServer, tmp_path: Path
) -> None:
    clock = Clock()
    async with Inside(
        tmp_path,
        provider(limits=ONE),
        server.url,
        *("a", "b"),
        cluster={"name": "missing"},
        clock=clock,
        server_clock=clock,
    ) as [a, b]:
        b.service.stop()
        for key in server.client.scan_iter("llm-gateway:{missing}:*"):
            server.client.delete(key)
        await until(
            lambda: a.service.state == "folding" and bool(a.service.heart.absent)
        )
        assert a.service.standing.degraded[0].endswith("yet: b")
        assert not any("not heard" in event for event in a.events)
        clock.now += 61
        await until(lambda: any("not heard" in event for event in a.events))
        assert a.service.state == "up"
        clock.now += 86_400
        await until(lambda: not a.service.heart.absent)
        assert sum("not heard" in event for event in a.events) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1793516399.0

    def __call__(self) -> float:
        return self.now

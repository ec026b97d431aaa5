"""Heartbeat of a member: a sign of life, and what the server says of everybody else's.

What lives here: the beat each second, with leases, words and the others' use in its wake.
What it does not know: reservations, how a fold is made.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from llm_gateway.cluster.away import Away
from llm_gateway.cluster.batches import Op
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.looks import AT_ONCE, Looks

KEEP = 600.0
"""Seconds between two times at which idle windows are said to be wanted."""


class Heartbeat:
    """Beats while the connection is up."""

    def __init__(
        self,
        context: MemberContext,
        looks: Looks,
        about: Callable[[], dict[str, Any]],
        refold: Callable[[], None],
    ) -> None:
        """`about`: what is said of this member. `refold`: others limit what they did not."""
        self._context = context
        self._looks = looks
        self._about = about
        self._refold = refold
        self._kept = 0.0
        self._keep: list[str] = []
        """Windows whose turn to be said is still to come."""
        self._known_windows = -1
        self.collector = ""
        """Member and ledger that take the finished requests of all; "": none."""
        self.collected = ""
        """Ledger and number up to which it has this member's."""
        self.amounts = ""
        """Another one, whenever some member's amounts are others."""
        self.absent: list[str] = []
        """Members that have not folded since the counters began anew."""
        self._said_absent: set[str] = set()

    def op(self) -> Op:
        context = self._context
        about = {
            **self._about(),
            "state": context.state,
            "clock_offset_ms": round(context.offset.seconds * 1000),
        }
        if (now := context.now()) - self._kept >= KEEP:
            self._kept = now
            self._keep = [one.name for one in self._looks.windows()]
        keep, self._keep = self._keep[:AT_ONCE], self._keep[AT_ONCE:]
        return ["beat", json.dumps(about), keep]

    async def run(self, before: Callable[[], Any]) -> None:
        """Until it is cancelled. `before`: what goes ahead of each beat."""
        context = self._context
        while True:
            # Others may wait for this one, and it for them: not longer than need be.
            await asyncio.sleep(context.beat * (1 if context.state == "up" else 0.25))
            if not context.link.up:
                continue
            try:
                await before()
                self.take(await context.ask(self.op()))
            except Away:
                continue

    def take(self, answer: list[Any]) -> None:
        """What the server says to a beat."""
        context = self._context
        windows, collector, collected, amounts, absent, *members = answer
        self.collector, self.collected = collector.decode(), collected.decode()
        self.amounts = amounts.decode()
        context.members.update(members, context.server_now())
        self._take_absent(absent.decode().split())
        if int(windows) != self._known_windows:
            self._known_windows = int(windows)
            self._refold()
        offset = context.offset.seconds
        if abs(offset) > 1 and not context.members.told_of_clock:
            context.members.told_of_clock = True
            context.gateway.event(
                "clock",
                "cluster",
                f"this clock is {-offset:+.1f} s off the server's; set one of them",
            )

    def _take_absent(self, names: list[str]) -> None:
        """Those that are waited for no more are said, each once."""
        self.absent = sorted(names)
        if self._context.state != "up":
            return
        fresh = sorted({*names} - self._said_absent)
        self._said_absent = {*names}
        if fresh:
            self._context.gateway.event(
                "cluster",
                "cluster",
                f"not heard of since the counters began anew: {', '.join(fresh)}; what "
                "was used there counts again when it is back",
            )

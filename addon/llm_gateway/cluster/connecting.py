"""A member's connection, from hello to the word that it is gone: what state follows.

    away ──connected, hello──▶ folding ──all have folded──▶ up
      ▲                           │                          │
      └──── no answer, or what was known is of an earlier generation ────┘

After a reconnect, or where nobody was heard of just now, it is `up` when the others have
been there, too (`awaited`).

What it does not know: reservations, heartbeats' contents, how batches travel (`link`).
"""

import asyncio
import logging
import os
from typing import Any

from llm_gateway.cluster import batches
from llm_gateway.cluster.awaited import Awaited
from llm_gateway.cluster.away import Away
from llm_gateway.cluster.context import MemberContext
from llm_gateway.cluster.fold_steps import FoldSteps
from llm_gateway.cluster.folding import Folding
from llm_gateway.cluster.generations import Generation
from llm_gateway.cluster.granting import Granting
from llm_gateway.cluster.heartbeat import Heartbeat
from llm_gateway.cluster.ledger_stream import ledger_id
from llm_gateway.cluster.link import REPLACED, Link
from llm_gateway.cluster.looks import Looks
from llm_gateway.cluster.membership import alive_together, read_members
from llm_gateway.cluster.script_call import Reply
from llm_gateway.cluster.send_queue import in_calls
from llm_gateway.cluster.standing import GOES_ON
from llm_gateway.cluster.wire import Tls
from llm_gateway.config.cluster_url import parse_cluster_url
from llm_gateway.timestamps import unix

logger = logging.getLogger("llm_gateway")

UNHEARD = 3.0
"""Seconds without a beat of anybody, after which the server seems to have been away."""
TAKEN = b"taken"
KNOWN_MEMBERS = "SELECT member, heartbeat FROM members"

SAID = {
    "generation": "the server's counters began anew",
    "format": "the server's counters are of another version of the gateway; update",
    REPLACED: "another gateway is the member {member!r} now; give each its own",
}
"""What the script says of a whole call."""


class Connecting:
    """Moves the state of a member, as its connection comes and goes."""

    def __init__(
        self,
        context: MemberContext,
        looks: Looks,
        granting: Granting,
        folding: Folding,
        heart: Heartbeat,
    ) -> None:
        self._context = context
        self._looks = looks
        self._granting = granting
        self._folding = folding
        self._heart = heart
        self.why = "not connected yet"
        self.generation = Generation()
        self._instance = os.urandom(8).hex()
        self._connections = 0
        """Tells what an earlier connection sent, and the server reads late, from this one's."""
        self._trouble = False
        self._awaited = Awaited()
        self._namesake = 0
        """When the server had heard of another one with our name; 0: it has not."""
        config = context.config
        self.link = Link(
            parse_cluster_url(config.url.get_secret_value()),
            prefix_of(config.name),
            timeout=config.timeout_seconds,
            tls=Tls(config.ca_file, config.cert_file, config.key_file),
            clock=context.gateway.clock,
            on_up=self._up,
            on_down=self._down,
            on_reply=self._replied,
        )
        self.link.header = self._header
        context.link = self.link
        context.limiter.go_away(1, context.now())

    @property
    def connection_id(self) -> str:
        """Another one after each reconnect."""
        return f"{self.generation.name}.{self._connections}"

    async def run(self) -> None:
        """Until it is cancelled, or another gateway has this member's name."""
        await self._remember_members()
        self._share()
        await self.link.run()

    def _header(self) -> dict[str, Any]:
        context = self._context
        deadline = context.server_now() + context.config.timeout_seconds
        return {
            "member": self._context.member,
            "instance": f"{self._instance}.{self._connections}",
            "generation": self.generation.name,
            "deadline": batches.micro(deadline),
            "fresh": os.urandom(8).hex(),
        }

    def _replied(self, reply: Reply) -> None:
        step = self._context.offset.add(reply.sent, reply.received, reply.now)
        if not self.generation.see(reply.generation, reply.sequence):
            self.link.reconnect("its data is older than what it said before")
        elif abs(step) > batches.EVEN:
            self._context.members.clock_set(step)
            self.generation.doubt(step)
            self.link.reconnect("the server's clock was set")
        elif self._context.state == "up" and not reply.ready:
            self._share()
            self._context.state = "folding"
        else:
            self._arrive_if_ready(reply)

    async def _up(self) -> None:
        """Connected: say hello, learn what is counted there, fold."""
        first = self._connections == 0
        self._connections += 1
        hello = await self._hello()
        self.link.broken = ""  # what is wrong with its data is known, and put right
        if self.generation.doubted:
            shift = batches.micro(self.generation.shift)
            await self._call([["renew_generation", shift]])
            hello = await self._hello()
        salt, *windows = hello.results[0]
        self._folding.salt = salt.decode()
        await self._folding.rename()
        await self._folding.watch([name.decode() for name in windows])
        await self._look_around(first)
        fold = self._folding.fold()
        # From here on what changes is queued behind the fold.
        self.link.up = True
        self._context.state = "folding"
        for batch in in_calls(FoldSteps(fold)):
            await self._call(batch)
        reply = await self._call([self._heart.op()])
        self._context.asks = True
        self._context.tried.set()
        self._arrive_if_ready(reply)

    async def _remember_members(self) -> None:
        store = self._context.gateway.store
        self._context.ledger = await asyncio.to_thread(ledger_id, store)
        rows = await asyncio.to_thread(store.rows, KNOWN_MEMBERS)
        self._context.members.restore(
            {row["member"]: unix(row["heartbeat"]) for row in rows}
        )

    async def _look_around(self, first: bool) -> None:
        """Who is there, who is waited for, and at first what they use, before anything is
        granted beside them."""
        members = self._context.members
        alive = members.others_alive()  # not: after an outage in which nobody was heard
        windows = self._looks.windows() if first else []
        look = ["look", [one.name for one in windows]]
        reply = await self._call([["members"], look])
        members.update(reply.results[0], reply.now)
        there = read_members(reply.results[0])
        # One that says nothing of itself has only said hello: this one, for the first time.
        heard = [one for one in there.values() if one.about]
        newest = max((one.at for one in heard), default=0.0)
        if self._trouble or reply.now - newest > UNHEARD:
            names = (alive | alive_together(heard)) - {members.own}
            self._awaited.add(names, there, reply.now)
        if first:
            self._looks.learn(windows, reply.results[1])
            self._share()

    def _arrive_if_ready(self, reply: Reply) -> None:
        context = self._context
        if context.state != "folding" or not context.asks or not reply.ready:
            return
        if self._awaited.missing(context.members.all, reply.now):
            return
        self._arrive()

    async def _hello(self) -> Reply:
        known = self._context.members.lately(self._context.server_now())
        salt, ledger = os.urandom(16).hex(), self._context.ledger
        reply = await self.link.call([["hello", salt, known, ledger]])
        if reply.status != "ok":
            raise Away(reply.status)
        if reply.results[0][0] == TAKEN:
            self._has_namesake(int(reply.results[0][1]))
            return await self._hello()
        self.generation.follow(reply.generation, reply.sequence)
        return reply

    def _has_namesake(self, heard: int) -> None:
        """Take another name. Raises Away: whose name it is may be gone by now."""
        context = self._context
        name, other = context.member, f"-{context.ledger[:6]}"
        before, self._namesake = self._namesake, heard
        if heard <= before or not before or name.endswith(other):
            raise Away(f"a member {name!r} with another ledger was there just now")
        context.rename(name[: 64 - len(other)] + other)
        context.gateway.event(
            "cluster",
            "cluster",
            f"another gateway is the member {name!r}, and this one {context.member!r} "
            "until each has a name of its own",
        )

    async def _call(self, ops: list[batches.Op]) -> Reply:
        reply = await self.link.call_trusted(ops)
        if ops[0][0] == "renew_generation":
            self.generation.renewed(reply.generation, reply.sequence)
        return reply

    def _share(self, more: int = 0) -> None:
        """`more`: members that are not known by a name of their own."""
        self._context.limiter.go_away(
            max(self._context.members.count(), 1 + self._awaited.count) + more,
            self._context.now(),
            self._granting.unconfirmed,
        )

    def _arrive(self) -> None:
        context = self._context
        context.state = "up"
        self._awaited.clear()
        context.limiter.come_back()
        self._looks.look_anew()
        context.gateway.state_dirty = True
        if self._trouble:
            self._trouble = False
            context.gateway.event("recovered", "cluster", "limits are shared again")
        else:
            logger.info(
                "Cluster %s: limits are shared, as member %s.",
                context.config.name,
                self._context.member,
            )

    def _down(self, why: str) -> None:
        context = self._context
        if why == REPLACED:
            self._share(1)  # it is under our name that the other is there
        elif context.state == "up":
            self._share()
        context.state = "away"
        context.asks = False
        context.tried.set()
        self._granting.sent.clear()
        context.gateway.state_dirty = True
        if why in SAID:
            why = SAID[why].format(member=context.member)
        if why != self.why or not self._trouble:
            self.why = why
            self._trouble = True
            context.warn(f"{why}; {GOES_ON[context.config.when_away]}")


def prefix_of(name: str) -> str:
    """What all keys of a cluster begin with; in braces what a sharded server looks at."""
    return f"llm-gateway:{{{name}}}:"

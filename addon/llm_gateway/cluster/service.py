"""A member of a cluster: connects, folds its counters in, reserves, and serves on alone.

    away ──connected, hello──▶ folding ──all have folded──▶ up
      ▲                           │                          │
      └──── no answer, or what was known is of an earlier generation ────┘

Away and folding, the engine keeps to this member's share (`limits.shared`), and the
configuration says what goes on at all (`whenAway`). Folding, what is granted is told to
the server all the same. Whatever may have been lost on the way is put right by the next
fold: it replaces this member's part of every window with what the engine has, which is a
fold over its own ledger and what is open.

What it does not know: HTTP, flows, SQL.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from llm_gateway.cluster import batches, words
from llm_gateway.cluster.batches import Fold
from llm_gateway.cluster.clock import Offset
from llm_gateway.cluster.ledger_stream import Collector, Shipper
from llm_gateway.cluster.link import REPLACED, Away, Link, Reply, Tls
from llm_gateway.cluster.membership import ALIVE, Members
from llm_gateway.cluster.names import Names, accounts_of
from llm_gateway.config.cluster_url import parse_cluster_url
from llm_gateway.config.models import Cluster
from llm_gateway.domain import Charge, Limit
from llm_gateway.ledger.spent import LONGEST_WINDOW
from llm_gateway.ledger.store import Store
from llm_gateway.limits.shared import Row, SharedLimiter
from llm_gateway.limits.store import OpenReservation
from llm_gateway.limits.values import LimitObservation, Reservation, Scope
from llm_gateway.limits.windows import CalendarWindow
from llm_gateway.providers.catalog import Catalog
from llm_gateway.routing.health import HealthTracker
from llm_gateway.timestamps import iso, unix

logger = logging.getLogger("llm_gateway")

BEAT = 1.0
"""Seconds between two signs of life, and between two looks at the others' use."""
RENEW = 15.0
KEEP = 600.0
"""Seconds between two times at which idle windows are said to be wanted."""
CHUNK = 12
"""Windows in one batch of a fold: other members wait for it."""
STALE = 0.05
"""Seconds; what is known of the others is not asked for again before."""
TRIES = 3
"""How often the server is asked where it was too late for it."""
LATE = 3
"""The script's word for that."""
GRANTED, NO_ROOM, AWAY = "granted", "no room", "away"


class Gateway(Protocol):
    """What a member needs of its gateway."""

    catalog: Catalog
    health: HealthTracker
    store: Store
    state_dirty: bool

    @property
    def clock(self) -> Callable[[], float]: ...

    def event(
        self, kind: str, subject: str, message: str, **detail: object
    ) -> None: ...


class ClusterService:
    """One membership, under one configuration of `cluster`. Owned by the event loop."""

    def __init__(
        self,
        gateway: Gateway,
        limiter: SharedLimiter,
        config: Cluster,
        member: str,
        *,
        login: Callable[[str], str],
        about: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """`member`: its name. `login`: the stored sign-in of a provider. `about`: what a
        heartbeat says of it besides."""
        self.gateway = gateway
        self.limiter = limiter
        self.config = config
        self.member = member
        self.members = Members(member)
        self.state = "away"
        self.why = "not connected yet"
        self.offset = Offset()
        self.collector = ""
        """Member and ledger that take the finished requests of all; "": none."""
        self.collected = ""
        """Ledger and number up to which it has this member's."""
        self.names = Names({})
        self._login = login
        self._about = about
        self._instance = os.urandom(8).hex()
        self._connections = 0
        """Tells what an earlier connection sent, and the server reads late, from this one's."""
        self._generation = ""
        self._sequence = 0
        self._older = False
        """The server has lost what it had said: everybody folds anew."""
        self._folds = 0
        self._salt = ""
        self._shared: dict[int, batches.Shared] = {}
        """By the identity of the window."""
        self._sent: set[str] = set()
        """Reservations that the server holds."""
        self._asking: dict[str, Reservation] = {}
        """Reservations that the server has not granted yet."""
        self._looked = 0.0
        self._looking: asyncio.Future[Any] | None = None
        self._known_windows = -1
        self._heard = "-"
        self._renewed = self._kept = 0.0
        self._trouble = False
        self._tasks: list[asyncio.Task[None]] = []
        self._folding: asyncio.Task[None] | None = None
        self._unknown = _Unknown(self)
        self.link = Link(
            parse_cluster_url(config.url.get_secret_value()),
            prefix_of(config.name),
            timeout=config.timeout_seconds,
            tls=Tls(config.ca_file, config.cert_file, config.key_file),
            clock=gateway.clock,
            on_up=self._up,
            on_down=self._down,
            on_reply=self._replied,
        )
        self.link.header = self._header
        limiter.go_away(1, gateway.clock())

    # -- life ------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and stay so. On the event loop."""
        loop = asyncio.get_running_loop()
        self.limiter.outlet = self
        self.gateway.health.on_rest = self._rested
        for name, work in (("link", self.link.run()), ("beat", self._beat())):
            self._tasks.append(loop.create_task(work, name=f"cluster {name}"))
        store = self.gateway.store
        shipper = Shipper(self, store)
        self._tasks.append(loop.create_task(shipper.run(), name="cluster rows"))
        if self.config.collect:
            collector = Collector(self, store, str(store.path.absolute()))
            work = collector.run()
            self._tasks.append(loop.create_task(work, name="cluster collector"))

    async def flush(self, seconds: float) -> None:
        """What was said so far is there, or the time is over."""
        with suppress(Away, TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ask(["look", []])

    def stop(self) -> None:
        """Leave: what is held open stays so until its lease ends, or the next start."""
        self.limiter.outlet = None
        self.gateway.health.on_rest = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        if self._folding is not None:
            self._folding.cancel()

    async def catalog_changed(self) -> None:
        """Limits, accounts or clients are others now."""
        if self.link.up:
            await self._rename()
            await self._fold_again()

    @property
    def connection_id(self) -> str:
        """Another one after each reconnect."""
        return f"{self._generation}.{self._connections}"

    @property
    def connected(self) -> bool:
        return self.link.up

    def warn(self, message: str) -> None:
        self.gateway.event("degraded", "cluster", message)

    @property
    def is_collector(self) -> bool:
        return self.collector.partition(" ")[0] == self.member

    @property
    def degraded(self) -> list[str]:
        if self.state == "up":
            return []
        if self.state == "folding":
            return ["cluster: not every member has folded its counters yet"]
        return [f"cluster: {self.why}; {WORDS[self.config.when_away]}"]

    def status(self) -> dict[str, Any]:
        """For /health and the heartbeat."""
        now = self.server_now()
        return {
            "member": self.member,
            "name": self.config.name,
            "members": self.members.alive(now),
            "state": self.state,
            "clock_offset_ms": round(self.offset.seconds * 1000),
        }

    def server_now(self) -> float:
        return self.gateway.clock() + self.offset.seconds

    # -- reservations ----------------------------------------------------------------

    async def confirm(
        self,
        reservation: Reservation,
        limits: Sequence[Limit],
        scopes: Sequence[Scope],
        *,
        zero_cost: bool,
    ) -> str:
        """The last word on what the engine reserved: GRANTED, NO_ROOM or AWAY.

        Where it is not GRANTED the caller releases the reservation.
        """
        result = None
        for _ in range(TRIES):
            now = self.gateway.clock()
            rows, found = batches.rows_of(
                self.limiter.rows(limits, scopes, now),
                self.names,
                now,
                self.offset.seconds,
            )
            if self.state != "up":
                break
            if not found:
                return GRANTED  # nothing limits it, anywhere
            result = await self._reserve(reservation, found)
            if result is not None and result[0] != LATE:
                self._others(rows, result)
                if result[0] == 1:
                    return GRANTED
                self._sent.discard(reservation.id)
                return NO_ROOM
        self._sent.discard(reservation.id)
        if self.state == "up" or not self._goes_on(zero_cost):
            return AWAY
        now = self.gateway.clock()
        if not self.limiter.has_share(limits, scopes, now):
            return AWAY
        if self.state == "folding":
            self._sent.add(reservation.id)
            op = batches.reserve(reservation.id, reservation.need, found, force=True)
            self.link.put(op)
        return GRANTED

    async def _reserve(
        self, reservation: Reservation, rows: list[batches.Op]
    ) -> list[int] | None:
        """What the server says; None: it does not."""
        future = asyncio.get_running_loop().create_future()
        self._sent.add(reservation.id)
        self._asking[reservation.id] = reservation
        self.link.put(batches.reserve(reservation.id, reservation.need, rows), future)
        try:
            answer: list[int] = await future
        except Away:
            return None
        finally:
            self._asking.pop(reservation.id, None)
        return answer

    def _goes_on(self, zero_cost: bool) -> bool:
        when = self.config.when_away
        return when == "local" or (when == "free" and zero_cost)

    async def refresh(self) -> bool:
        """What the others have now, before somebody is refused for it. True: it may be
        another than was known."""
        if self.state != "up" or self.gateway.clock() - self._looked < STALE:
            return False
        if self._looking is None:
            self._looking = self._look()
        try:
            await asyncio.shield(self._looking)
        except Away:
            return False
        return True

    def _look(self) -> asyncio.Future[Any]:
        windows = self._all_shared()
        future = asyncio.get_running_loop().create_future()

        def seen(done: asyncio.Future[Any]) -> None:
            self._looking = None
            if done.cancelled() or done.exception() is not None:
                return
            self._looked = self.gateway.clock()
            offset = self.offset.seconds
            for one, at in zip(windows, range(0, len(done.result()), 3), strict=True):
                used, reserved, back = done.result()[at : at + 3]
                self.limiter.others_are(
                    one.limit.key,
                    used,
                    reserved,
                    back / 1e6 - offset if back else 0.0,
                    one.place,
                )

        future.add_done_callback(seen)
        self.link.put(["look", [one.name for one in windows]], future)
        return future

    def _all_shared(self) -> list[batches.Shared]:
        found = list(batches.shared_windows(self.limiter, self.names))
        self._shared = {id(one.window): one for one in found}
        return found

    def _others(self, rows: Sequence[Row], result: Sequence[int]) -> None:
        offset = self.offset.seconds
        for n, row in enumerate(rows):
            used, reserved, back = result[2 + 3 * n : 5 + 3 * n]
            self.limiter.others_are(
                row.limit.key,
                used,
                reserved,
                back / 1e6 - offset if back else 0.0,
                row.place,
            )

    # -- what the engine and health tell ------------------------------------------------

    def settled(self, held: OpenReservation, real: Charge) -> None:
        name = held.reservation.id
        if name not in self._sent:
            return
        self._sent.discard(name)
        now, offset = self.gateway.clock(), self.offset.seconds
        calendar = []
        for part in held.parts:
            one = self._shared.get(id(part.window))
            if one is not None and isinstance(part.window, CalendarWindow):
                part.window.advance(now)
                calendar.append(
                    [one.name, *batches.bounds(part.window, now, offset)[1:]]
                )
        self.link.put(batches.settle(name, real, calendar), self._unknown)

    def counted(self, rows: Sequence[Row], change: Charge, at: float) -> None:
        if not self.link.up:
            return
        offset = self.offset.seconds
        _, found = batches.rows_of(rows, self.names, self.gateway.clock(), offset)
        self.link.put(batches.count(at + offset, change, found))

    def observed(
        self, words_: Sequence[LimitObservation], scopes: Sequence[Scope]
    ) -> None:
        if self.link.up:
            offset = self.offset.seconds
            self._tell(words.observed_word(words_, scopes, self.names, offset))

    def _rested(self, key: tuple[str, ...], until: float, state: str, why: str) -> None:
        if self.link.up:
            rest = words.Rest(key, until, state, why)
            self._tell(words.rest_word(rest, self.names, self.offset.seconds))

    def _tell(self, word: str | None) -> None:
        if word is not None:
            self.link.put(["tell", word])

    # -- the connection ----------------------------------------------------------------

    def _header(self) -> dict[str, Any]:
        return {
            "member": self.member,
            "instance": f"{self._instance}.{self._connections}",
            "generation": self._generation,
            "deadline": batches.micro(self.server_now() + self.config.timeout_seconds),
            "fresh": os.urandom(8).hex(),
        }

    def _replied(self, reply: Reply) -> None:
        self.offset.add(reply.sent, reply.received, reply.now)
        if reply.generation == self._generation:
            if reply.sequence <= self._sequence:
                self._older = True
                self.link.reconnect("its data is older than what it said before")
                return
            self._sequence = reply.sequence
        if self.state == "up" and not reply.ready:
            self.limiter.go_away(
                self.members.count(), self.gateway.clock(), [*self._asking.values()]
            )
            self.state = "folding"
        elif self.state == "folding" and reply.ready:
            self._arrive()

    async def _up(self) -> None:
        """Connected: say hello, learn what is counted there, fold."""
        if not self._connections:
            rows = await asyncio.to_thread(self.gateway.store.rows, KNOWN_MEMBERS)
            self.members.restore(
                {row["member"]: unix(row["heartbeat"]) for row in rows}
            )
        self._connections += 1
        hello = await self._hello()
        if self._older:
            self._older = False
            self._sequence = 0
            await self._call([["renew_generation"]])
            hello = await self._hello()
        self._salt = hello.results[0][0].decode()
        await self._rename()
        await self._watch([name.decode() for name in hello.results[0][1:]])
        ops = self._fold()
        # From here on what changes is queued behind the fold.
        self.link.up = True
        self.state = "folding"
        for at in range(0, len(ops), CHUNK):
            reply = await self._call(ops[at : at + CHUNK])
        await self._call([self._beat_op()])
        if self.state == "folding" and reply.ready:
            self._arrive()

    async def _hello(self) -> Reply:
        known = self.members.lately(self.server_now())
        reply = await self.link.call([["hello", os.urandom(16).hex(), known]])
        if reply.generation != self._generation:
            self._generation, self._sequence = reply.generation, reply.sequence
        return reply

    async def _call(self, ops: list[batches.Op]) -> Reply:
        reply = await self.link.call(ops)
        if reply.status != "ok":
            raise Away(reply.status)
        if ops[0][0] == "renew_generation":
            self._generation, self._sequence = reply.generation, reply.sequence
        return reply

    def _arrive(self) -> None:
        self.state = "up"
        self.limiter.come_back()
        self._looked = 0.0
        self._looking = self._look()
        self.gateway.state_dirty = True
        if self._trouble:
            self._trouble = False
            self.gateway.event("recovered", "cluster", "limits are shared again")
        else:
            logger.info(
                "Cluster %s: limits are shared, as member %s.",
                self.config.name,
                self.member,
            )

    def _down(self, why: str) -> None:
        if self.state != "away":
            self.limiter.go_away(
                self.members.count(), self.gateway.clock(), [*self._asking.values()]
            )
        self.state = "away"
        self._sent.clear()
        self.gateway.state_dirty = True
        if why == "generation":
            why = "the server's counters began anew"
        elif why == REPLACED:
            why = (
                f"another gateway is the member {self.member!r} now; give each its own"
            )
        if why != self.why or not self._trouble:
            self.why = why
            self._trouble = True
            self.gateway.event(
                "degraded", "cluster", f"{why}; {WORDS[self.config.when_away]}"
            )

    # -- folding -----------------------------------------------------------------------

    async def _rename(self) -> None:
        catalog = self.gateway.catalog
        found = await asyncio.to_thread(
            accounts_of, catalog.upstreams, self._salt, self.member, self._login
        )
        self.names = Names(found)
        self.names.learn(catalog.offers, [client.name for client in catalog.clients])
        self.names._learn(("budget",))

    async def _watch(self, windows: Iterable[str]) -> None:
        """Count in windows, too, that only other members have a limit for."""
        limiter = self.limiter
        found = [limit for name in windows for limit in self.names.limits(name)]
        fresh = [limit for limit in found if limit.key not in limiter.windows()]
        if not fresh:
            return
        since = self.gateway.clock() - LONGEST_WINDOW
        spent = await asyncio.to_thread(self.gateway.store.spent, since)
        fresh = [limit for limit in fresh if limit.key not in limiter.windows()]
        now = self.gateway.clock()
        limiter.replay(spent, fresh, now)
        limiter.watch(fresh, now)

    def _fold(self) -> list[batches.Op]:
        self._folds += 1
        fold = Fold(
            self.limiter,
            self.names,
            self.gateway.catalog.limits(),
            self.gateway.clock(),
            self.offset.seconds,
            f"{self.member}|{self._instance[:6]}{self._folds}-",
        )
        self._sent = set(fold.open_ids)
        self._shared = {id(one.window): one for one in fold.windows}
        return fold.ops

    async def _fold_again(self) -> None:
        """With what is there now, in the order of what else is said."""
        try:
            windows = await self.ask(["windows"])
            await self._watch([name.decode() for name in windows])
        except Away:
            return
        if self.link.up:
            for op in self._fold():
                self.link.put(op)

    def refold(self) -> None:
        """Something was lost on the way, or taken for lost: put it right soon."""
        if self._folding is None or self._folding.done():
            loop = asyncio.get_running_loop()
            self._folding = loop.create_task(self._fold_again(), name="cluster fold")

    async def ask(self, op: batches.Op) -> Any:
        future = asyncio.get_running_loop().create_future()
        self.link.put(op, future)
        return await future

    # -- heartbeat -----------------------------------------------------------------------

    def _beat_op(self) -> batches.Op:
        about = {
            **self._about(),
            "state": self.state,
            "clock_offset_ms": round(self.offset.seconds * 1000),
        }
        keep: list[str] = []
        if (now := self.gateway.clock()) - self._kept >= KEEP:
            self._kept = now
            keep = [one.name for one in self._all_shared()]
        return ["beat", json.dumps(about), keep]

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if not self.link.up:
                continue
            try:
                await self._one_beat()
            except Away:
                continue

    async def _one_beat(self) -> None:
        link = self.link
        now = self.gateway.clock()
        if self._looking is None:
            self._looking = self._look()
        if now - self._renewed >= RENEW and self._sent:
            self._renewed = now
            link.put(["renew", sorted(self._sent), batches.micro(batches.LEASE)])
        if self._heard == "-":
            heard = await self.ask(["hear", "+"])
        else:
            heard = await self.ask(["hear", self._heard])
        self._hear(heard)
        windows, collector, collected, *members = await self.ask(self._beat_op())
        self.collector, self.collected = collector.decode(), collected.decode()
        self.members.update(members, self.server_now())
        if int(windows) != self._known_windows:
            self._known_windows = int(windows)
            self.refold()
        if abs(self.offset.seconds) > 1 and not self.members.told_of_clock:
            self.members.told_of_clock = True
            self.gateway.event(
                "clock",
                "cluster",
                f"this clock is {-self.offset.seconds:+.1f} s off the server's; set one of them",
            )

    def member_list(self) -> list[dict[str, Any]]:
        """For people and programs: who was heard of, and how long ago."""
        now = self.server_now()
        names = ("state", "host", "port", "version", "in_flight", "clock_offset_ms")
        return [
            {
                "member": one.name,
                "seconds": round(max(0.0, now - one.at), 1),
                **{
                    name: one.about.get(name, 0 if "_" in name else "")
                    for name in names
                },
            }
            for one in sorted(self.members.all.values(), key=lambda one: one.name)
        ]

    def is_alive(self, name: str) -> bool:
        found = self.members.all.get(name)
        return found is not None and self.server_now() - found.at < ALIVE

    async def fold_now(self) -> int:
        """How many windows were folded. Raises Away."""
        await self._fold_again()
        await self.ask(["look", []])
        return len(self._shared)

    async def settle_for(self, name: str) -> int:
        """What another member held open counts as used; it is forgotten. Raises Away."""
        [count] = await self.ask(["forget", name])
        self.members.forget(name)
        return int(count)

    def member_rows(self) -> list[tuple[str | int | float | None, ...]]:
        """For the ledger's table of members."""
        return [
            (
                one.name,
                iso(one.at - self.offset.seconds),
                str(one.about.get("state", "")),
                str(one.about.get("host", "")),
                whole(one.about.get("port")),
                str(one.about.get("version", "")),
                whole(one.about.get("in_flight")) or 0,
                whole(one.about.get("clock_offset_ms")) or 0,
                str(one.about.get("revision", "")),
            )
            for one in self.members.all.values()
        ]

    def _hear(self, found: Sequence[Any]) -> None:
        self._heard = found[0].decode()
        now, offset = self.gateway.clock(), self.offset.seconds
        for at in range(1, len(found), 2):
            if found[at].decode() == self.member:
                continue
            text = found[at + 1].decode("utf-8", "replace")
            for word in words.read_word(text, self.names, offset):
                if isinstance(word, words.Rest):
                    if word.until > now:
                        self.gateway.health.hear_rest(
                            word.key, word.until, word.state, word.reason
                        )
                else:
                    self.limiter.hear(
                        self._limits_of(word.scopes),
                        word.words,
                        scopes=word.scopes,
                        now=now,
                    )
                self.gateway.state_dirty = True

    def _limits_of(self, scopes: Sequence[Scope]) -> tuple[Limit, ...]:
        """What the configuration sets for the offer that these scopes are of."""
        model = next((scope for scope in scopes if scope[0] == "model"), None)
        offers = self.gateway.catalog.offers
        return next((o.limits for o in offers if model and o.key == model[1:]), ())


class _Unknown:
    """Takes the results of settlements: one that the server knew nothing of is a sign that
    its lease had ended, or that it never arrived."""

    def __init__(self, service: ClusterService) -> None:
        self._service = service

    def done(self) -> bool:
        return False

    def set_result(self, result: Any) -> None:
        if result[0] == 0:
            self._service.refold()

    def set_exception(self, exception: Any) -> None:
        """The next fold tells it anyway."""


KNOWN_MEMBERS = "SELECT member, heartbeat FROM members"
WORDS = {
    "free": "free requests go on within this member's share, paid ones are refused",
    "refuse": "requests are refused until it is back",
    "local": "requests go on within this member's share",
}


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def prefix_of(name: str) -> str:
    """What all keys of a cluster begin with; in braces what a sharded server looks at."""
    return f"llm-gateway:{{{name}}}:"


__all__ = ["AWAY", "GRANTED", "NO_ROOM", "ClusterService", "prefix_of"]

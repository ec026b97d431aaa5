"""What the live page was last shown, so that a second in which nothing happens costs nothing.

As long as SQLite's `data_version` and the moment allow it, the last snapshot stands and no
table is read. The gateway's heartbeat rewrites what stands against each limit: then marks of
the rows are compared, and only others are put together anew.

What this file does not know: HTTP, threads, clocks (`now` is an argument).
"""

import gzip
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from llm_gateway.dashboard import live, members, queries
from llm_gateway.dashboard.live_parts import EARLIER, Parts, head_text, parts
from llm_gateway.dashboard.provider_standings import KnownStandings, standing_rows
from llm_gateway.dashboard.reader import Ask
from llm_gateway.dashboard.recent_requests import RecentRequests
from llm_gateway.dashboard.traffic import SLOTS

Json = dict[str, Any]
MOST_KEPT = 20
"""Combinations of window, filters and time zone that are remembered."""
SMALL = 1_000
"""Characters below which packing does not pay."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page wants to see."""

    minutes: int
    simulated: bool
    other: bool
    where: ZoneInfo


@dataclass(frozen=True, slots=True)
class Answer:
    """One look. The texts are made when the first page asks for them."""

    now: float
    gateway: Json | None
    parts: Parts
    earlier: tuple[Parts, ...]
    made: dict[object, bytes] = field(default_factory=dict)

    def text(self, have: str | None) -> bytes:
        """JSON: all of it, or the changes since the answer with the tag `have`."""
        known = (*self.earlier, self.parts)
        found = next((p for p in known if p.tag == have), None)
        if found is not None and found.shape != self.parts.shape:
            found = None
        tag = found.tag if found else None
        if tag not in self.made:
            head = head_text(self.now, self.gateway)
            said = self.parts.since(found, head) if found else self.parts.whole(head)
            self.made[tag] = said.encode()
        return self.made[tag]

    def packed(self, have: str | None) -> bytes | None:
        """The same as gzip; None where that does not pay."""
        text = self.text(have)
        if len(text) < SMALL:
            return None
        if text not in self.made:
            self.made[text] = gzip.compress(text, 1, mtime=0)
        return self.made[text]


@dataclass(slots=True)
class _Kept:
    version: object
    marks: object
    made_at: float
    good_until: float
    """Until then the same rows say the same."""
    silent_at: float
    """When a gateway that writes nothing more counts as silent."""
    in_flight: bool
    gateway: Json | None
    parts: Parts
    earlier: deque[Parts]

    def holds(self, now: float) -> bool:
        return self.made_at <= now < self.good_until


class LiveMemory:
    """Lives on the reader's thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        """Begins each tag: those of another server mean nothing here."""
        self._count = 0
        self._standings = KnownStandings()
        self._requests = RecentRequests()
        self._kept: dict[Asked, _Kept] = {}

    def look(self, ask: Ask, version: object, asked: Asked, now: float) -> Answer:
        """`version`: the same means that the file is as it was at the last look."""
        kept = self._kept.get(asked)
        if (
            kept is not None
            and kept.version == version
            and kept.holds(now)
            and now < kept.silent_at
        ):
            return _answer(kept, now)
        gateway = live.gateway_json(ask, now)
        cluster = members.cluster(ask, now)
        rows = standing_rows(ask)
        traffic = tuple(ask(queries.TRAFFIC_MARKS, {})[0])
        silent_at = _silent_at(gateway, cluster)
        state = {**gateway, "heartbeat": None} if gateway else None
        marks = (state, cluster, rows, traffic)
        quiet = kept is not None and not kept.in_flight and kept.marks == marks
        if kept is not None and quiet and kept.holds(now):
            kept.version, kept.gateway = version, gateway
            kept.silent_at = silent_at
            return _answer(kept, now)
        policy = gateway["policy"] if gateway else None
        stand = self._standings.at(ask, rows, policy, now)
        found = live.snapshot(
            ask,
            self._requests,
            minutes=asked.minutes,
            simulated=asked.simulated,
            other=asked.other,
            now=now,
            where=asked.where,
            known=stand,
        )
        self._count += 1
        before = kept.parts if kept else None
        made = parts(found, before, f"{self._name}-{self._count}")
        earlier = kept.earlier if kept else deque(maxlen=EARLIER)
        if before is not None and made is not before:
            earlier.append(before)
        slot_ends = found["start"] + SLOTS * found["step"]
        until = min(slot_ends, (now // 60 + 1) * 60, stand.good_until)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        kept = _Kept(
            *(version, marks, now, until, silent_at),
            in_flight=found["total"]["sum"]["in_flight"] > 0,
            gateway=found["gateway"],
            parts=made,
            earlier=earlier,
        )
        self._kept[asked] = kept
        return _answer(kept, now)


def _answer(kept: _Kept, now: float) -> Answer:
    return Answer(now, kept.gateway, kept.parts, tuple(kept.earlier))


def _silent_at(gateway: Json | None, cluster: Json | None) -> float:
    """The first moment at which one of them is silent that is not yet."""
    beats = [
        one["heard"] + members.SILENT_AFTER
        for one in (cluster["members"] if cluster else ())
        if one["state"] != "silent"
    ]
    if gateway and not gateway["silent"] and gateway["heartbeat"] is not None:
        beats.append(gateway["heartbeat"] + live.SILENT_AFTER)
    return min(beats, default=math.inf)

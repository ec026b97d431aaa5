"""Chaos: two providers of three are bad in every way at once, and no client notices.

    pytest -m chaos                       a minute
    CHAOS_SECONDS=1800 pytest -m chaos    half an hour
    CHAOS_SEED=7                          other dice

Twenty clients come in on every way, plain and streamed, some leave mid-stream; the
configuration is reloaded all the time, which makes the bad ones worth another try; one of
them goes away and comes back. Every answer has to be the good one's to that very request,
and every request has to reach the good one exactly once. The figures are printed.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes import (
    Answer,
    Answered,
    FakeProvider,
    H2Session,
    Received,
    Script,
    Session,
    Way,
    answers,
)

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import CHAT, client, error, priced

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
CLIENTS = 20
RELOAD_EVERY, LEAVE_EVERY, AWAY_FOR, FORGET_EVERY = 40, 120, 20, 40
"""Counted in answers: what happens beside the clients keeps step with them, however fast
the machine is."""
MODELS = [f"m{i}" for i in range(40)]
"""So many that a model that cools down leaves others to fail."""
JSON = [("content-type", "application/json")]
ROUTING = {
    "connectTimeoutSeconds": 3,
    "firstByteTimeoutSeconds": 3,
    "idleTimeoutSeconds": 3,
}

FAULTS: dict[str, Script] = {
    "close": answers.close(),
    "reset": answers.reset(),
    "garbage": answers.garbage(),
    "both lengths": answers.invalid_header(),
    "silence": answers.silence(),
    "head, silence": answers.headers_then_silence(),
    "stalled 500": answers.stalled_500(),
    "400 model": answers.status(400, error("no such model", "model_not_found")),
    "404": answers.status(404, b""),
    "408": answers.status(408),
    "500": answers.status(500),
    "500, 5 MB": answers.big_500(),
    "503, empty": answers.empty_503(),
    "529": answers.status(529),
    "302": answers.status(302, b"", [("location", "http://127.0.0.1:9/")]),
    "head, close": answers.headers_then_close(),
    "broken JSON": answers.broken_json(),
    "short": answers.wrong_length(9),
    "error event": answers.error_event_first(),
    "empty stream": answers.empty_stream(),
    **{f"429, {f}": answers.rate_limited(f) for f in answers.RETRY_AFTER_FORMS},
}


DISABLING: dict[str, Script] = {
    str(code): answers.status(code) for code in (401, 402, 403, 405)
}
"""Rare, since nothing else can go wrong after them until the next reload."""


class Bad:
    """Fails, each time in another way."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.faults: Counter[str] = Counter()

    def __call__(self, request: Received) -> Answer:
        faults = DISABLING if self.dice.random() < 0.02 else FAULTS
        name = self.dice.choice(tuple(faults))
        self.faults[name] += 1
        script = faults[name]
        return script if isinstance(script, Answer) else script(request)


def good(request: Received) -> Answer:
    if not request.json().get("stream"):
        return answers.ok()(request)
    length = request.number % 12
    pieces = ["{nonce}", *(f"piece {i}" for i in range(length))]
    return answers.stream(pieces, pause=0.001 * (request.number % 5))(request)


@dataclass
class Score:
    """What the clients saw."""

    problems: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def answered(self, seconds: float) -> None:
        self.seconds.append(seconds)
        for count, event in self.waiting:
            if len(self.seconds) >= count:
                event.set()
        self.waiting = [one for one in self.waiting if not one[1].is_set()]

    async def after(self, answers: int) -> None:
        """So many more answers have come."""
        event = asyncio.Event()
        self.waiting.append((len(self.seconds) + answers, event))
        await event.wait()

    def at(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[int(share * (len(ordered) - 1))]


@dataclass
class Client:
    gateway: GatewayProcess
    score: Score
    number: int
    until: float
    sent: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{SEED} {self.number}")

    async def run(self) -> None:
        while time.monotonic() < self.until:
            way = self.dice.choice(tuple(Way))
            try:
                async with client(self.gateway, way) as session:
                    for _ in range(self.dice.randint(1, 6)):
                        together = 1
                        if isinstance(session, H2Session):
                            together = self.dice.randint(1, 4)
                        stay = await asyncio.gather(
                            *(self.one(session, way) for _ in range(together))
                        )
                        if not all(stay):
                            break
            except Exception as e:
                self.score.problems.append(f"client {self.number} {way}: {e!r}")

    async def one(self, session: Session, way: Way) -> bool:
        """One request. False: the client leaves."""
        self.sent += 1
        nonce = f"nonce-{self.number}-{self.sent}"
        self.score.asked.add(nonce)
        streamed = self.dice.random() < 0.5
        words = f"{nonce} {'é🎉 ' * self.dice.randint(0, 2000)}"
        message = {"role": "user", "content": words}
        model = self.dice.choice(MODELS)
        asked: dict[str, Any] = {"model": model, "messages": [message]}
        if streamed:
            asked["stream"] = True
        began = time.monotonic()
        answered = await session.ask(CHAT, json.dumps(asked).encode(), JSON)
        if streamed and self.dice.random() < 0.02:
            self.score.left.add(nonce)
            await answered.chunk()
            return False
        await answered.body()
        self.score.answered(time.monotonic() - began)
        self.judge(answered, nonce, streamed, way)
        return True

    def judge(self, answered: Answered, nonce: str, streamed: bool, way: Way) -> None:
        got, tries = answered.got, answered.header("x-gateway-attempts") or ""
        self.score.attempts[tries] += 1
        right = (
            answered.status == 200
            and answered.header("x-gateway-provider") == "good"
            and tries.isdigit()
            and f'"content": "{nonce}"'.encode() in got
            and got.count(b"nonce-") == 1
            and got.endswith(answers.DONE) is streamed
        )
        if not right:
            said = f"{nonce} {way}: {answered.status} {answered.headers} {got[:300]!r}"
            self.score.problems.append(said)


async def reloads(gateway: GatewayProcess, config: dict[str, Any], score: Score) -> int:
    """Change the bad ones a little, again and again, until cancelled."""
    count = 0
    while True:
        await score.after(RELOAD_EVERY)
        count += 1
        for entry in config["providers"][:2]:
            entry["headers"] = {"x-round": str(count)}
        gateway.write_config(config)


async def goes_away(fake: FakeProvider, score: Score) -> None:
    """Refused for a moment, again and again, until cancelled."""
    while True:
        await score.after(LEAVE_EVERY)
        await asyncio.to_thread(fake.stop)
        await score.after(AWAY_FOR)
        await asyncio.to_thread(fake.start, fake.port)


async def forgets(
    fakes: list[FakeProvider], served: Counter[str], score: Score
) -> None:
    """Count what the good one (the first) got; keep the fakes small."""
    while True:
        await score.after(FORGET_EVERY)
        take(fakes[0], served)
        for fake in fakes[1:]:
            del fake.requests[: max(0, len(fake.requests) - 100)]
        for fake in fakes:
            del fake.journal[: max(0, len(fake.journal) - 100)]


def take(fake: FakeProvider, served: Counter[str]) -> None:
    count = len(fake.requests)
    served.update(answers.nonce_of(r.body) for r in fake.requests[:count])
    del fake.requests[:count]


# A fake that is stopped while somebody connects leaves that socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.chaos
@pytest.mark.timeout(SECONDS + 120)
async def test_no_client_notices(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [Bad(f"{SEED} one"), Bad(f"{SEED} two")]
    score, served = Score(), Counter[str]()
    async with AsyncExitStack() as stack:
        one, two, three = (
            stack.enter_context(FakeProvider(script)) for script in (*bad, good)
        )
        config = {
            "routing": ROUTING,
            "providers": [
                provider(one, "bad 1", *MODELS, free=True),
                provider(two, "bad 2", models=priced(1, *MODELS)),
                provider(three, "good", models=priced(9, *MODELS)),
            ],
        }
        gateway = start(config)
        loop = asyncio.get_running_loop()
        others = [
            loop.create_task(reloads(gateway, config, score)),
            loop.create_task(goes_away(two, score)),
            loop.create_task(forgets([three, one, two], served, score)),
        ]
        began = time.monotonic()
        clients = [
            Client(gateway, score, number, began + SECONDS) for number in range(CLIENTS)
        ]
        memory = [gateway.rss()]
        running = asyncio.gather(*(c.run() for c in clients))
        while not running.done():
            await asyncio.wait([running], timeout=SECONDS / 10)
            memory.append(gateway.rss())
        await running
        for task in others:
            task.cancel()
        ended = await asyncio.gather(*others, return_exceptions=True)
        crashed = [e for e in ended if not isinstance(e, asyncio.CancelledError)]
        took = time.monotonic() - began
        take(three, served)

    rows = gateway.wait_rows(
        "select outcome, count(*) n, sum(attempts) tries from requests"
        " group by outcome order by outcome",
        lambda rows: all(row["outcome"] != "in_flight" for row in rows),
    )
    reasons = gateway.rows(
        "select reason, count(*) n from attempts where outcome = 'failed'"
        " group by reason order by n desc"
    )
    # Each of the three once; what a kept connection that was closed costs is more.
    tried = gateway.rows(
        "select request, count(*) n, sum(reason = 'repaired: stale connection') repaired"
        " from attempts group by request having n - repaired > 3"
    )
    loaded = gateway.rows("select count(*) n from events where kind = 'config'")
    figures = {
        "seconds": round(took),
        "requests": len(score.asked),
        "per second": round(len(score.asked) / took),
        "attempts per answer": dict(sorted(score.attempts.items())),
        "failed attempts": sum(r["n"] for r in reasons),
        "latency p50, p95, p99, most (ms)": [
            round(1000 * score.at(share)) for share in (0.5, 0.95, 0.99, 1.0)
        ],
        "rows": {row["outcome"]: row["n"] for row in rows},
        "clients that left": len(score.left),
        "reloads": loaded[0]["n"],
        "RSS (MB)": [size >> 20 for size in memory],
        "log lines": gateway.log().count("\n"),
        "reasons": {row["reason"]: row["n"] for row in reasons},
    }
    with capsys.disabled():
        print(f"\nchaos, seed {SEED}: {json.dumps(figures, indent=1)}")

    assert crashed == []
    assert score.problems == [], "\n".join(score.problems[:20])
    assert tried == []
    twice = {nonce: n for nonce, n in served.items() if n != 1}
    assert twice == {}
    assert score.asked - score.left <= set(served) <= score.asked
    assert {row["outcome"] for row in rows} <= {"ok", "cancelled"}
    assert sum(row["n"] for row in rows) == len(score.asked)
    assert all(len(one.faults) > len(FAULTS) / 2 for one in bad)
    # It settles: what grows in the second half of the time would grow for ever.
    half = len(memory) // 2
    assert memory[-1] - memory[half] < 64 << 20

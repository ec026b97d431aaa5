"""A ledger as a gateway leaves it, in one process: its own store, limiter and catalog.

Rows go through the store's writer, limits are counted as after a restart, and what the
limiter says is written as the heartbeat writes it. Nothing listens anywhere.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr

from llm_gateway.app.heartbeat import write_standings
from llm_gateway.app.state import AppState, ConfigStatus
from llm_gateway.config.models import Config
from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Charge,
    Decision,
    Offer,
    Policy,
    RequestRecord,
    Usage,
    Verdict,
)
from llm_gateway.ledger.store import GatewayState, Store
from llm_gateway.limits.limiter import Reservation, scopes_of
from llm_gateway.providers import catalog
from llm_gateway.providers.credentials import Credentials
from llm_gateway.providers.github_client import GitHub

from .ledgers import empty, uuid7

MINUTE, HOUR, DAY = 60, 3600, 86_400
BUDGET = {f"costPer{window}": amount for window, amount in
          (("Minute", 2.0), ("Hour", 40.0), ("Day", 300.0), ("Month", 5000.0))}  # fmt: skip
CLIENTS = ("kids", "batch")


def config(policy: str) -> Config:
    """Two accounts, a free tier beside a paid model, paid, unpriced, a subscription."""
    priced = {"pricing": {"inputCostPerMillionTokens": 3, "outputCostPerMillionTokens": 9}}  # fmt: skip
    keys = {"apiKeys": ["k1", "k2"]}
    at = {"type": "openai-compatible", "baseURL": "http://127.0.0.1:9/v1"}
    return Config.model_validate(
        {
            "providers": [
                {"id": "groq", "type": "groq", "free": True, **keys,
                 "limits": {"requestsPerMinute": 900, "tokensPerDay": 900_000},
                 "models": [{"name": "llama", "mappedName": "coder", "aliases": ["gpt-4o"], **priced,
                             "limits": {"requestsPerHour": 700, "requestsPerDay": 990}},
                            {"name": "qwen"}]},
                {"id": "openrouter", "type": "openrouter", "apiKey": "k3", "tier": "free",
                 "models": [{"name": "a:free"}, {"name": "b:free"}]},
                {"id": "paid", "apiKey": "k4", **at, "resets": {"day": "03:30 Asia/Kolkata"},
                 "limits": {"costPerDay": 250.0},
                 "models": [{"name": "big", "aliases": ["coder"], **priced,
                             "limits": {"tokensPerMonth": 90_000_000}}]},
                {"id": "house", "apiKey": "k5", **at, "models": [{"name": "house-7b"}]},
                {"id": "copilot", "apiKey": "k6", **at, "flatRate": {"costPerMonth": 10},
                 "models": [{"name": "sub", **priced}]},
            ],
            "clients": [
                {"name": name, "key": f"client-key-{name}", "limits": {"requestsPerDay": 800, "costPerMonth": 900.0, "tokensPerHour": 10_000_000}}
                for name in CLIENTS
            ],
            "budget": BUDGET,
            "routing": {"policy": policy},
        }
    )  # fmt: skip


class Books:
    """`fill`, then `write`; then the file is read like any other."""

    def __init__(self, folder: Path, policy: str, now: float) -> None:
        self.path, self.now, self.policy = folder / "usage.db", now, Policy(policy)
        self.path.write_bytes(empty())
        self.store = Store(self.path, clock=lambda: self.now)
        self.store.start()
        self.catalog = catalog.build(
            config(policy), "r1", price=lambda *_: None, window=lambda *_: None, now=now
        )
        self.state = AppState(
            catalog=self.catalog,
            store=self.store,
            clock=lambda: self.now,
            loading=ConfigStatus("r1", now),
            credentials=Credentials(
                folder, lambda: self.now, GitHub.from_environment({})
            ),
            admin_token=SecretStr("t"),
        )

    def fill(self, chance: random.Random, moments: Sequence[float]) -> None:
        """Requests of every kind around these moments, in the order of time."""
        ordered = sorted(moments)
        for at in ordered:
            kinds = _KINDS if at < self.now - HOUR else (*_KINDS, "in flight")
            self.request(chance, at, chance.choice(kinds))
        self.request(chance, ordered[-1], "in flight")

    def request(self, chance: random.Random, at: float, kind: str) -> None:
        client = chance.choice((*CLIENTS, "cursor"))
        record = RequestRecord(
            uuid7(at), at, client, client, "chat", "coder",
            known_client=client if client in CLIENTS else None,
            streamed=chance.random() < 0.5, config_revision="r1",
        )  # fmt: skip
        offers = self.catalog.offers
        tokens = Usage(*(chance.randrange(900) for _ in range(5)), "reported")
        record.duration_ms = chance.randrange(40, 9000)
        match kind:
            case "refused":
                record.outcome, record.status = "refused", 429
                record.provider = None
                self.store.end(record)
                self.store.decision(record, self.decision(None))
                return
            case "passthrough":
                record.outcome, record.status, record.host = "passthrough", 200, "api.openai.com"  # fmt: skip
                record.usage = tokens
                record.cost = chance.choice((None, 0, chance.randrange(10**7)))
                record.dialect = chance.choice(("chat", "other"))
                self.store.end(record)
                return
            case "simulated":
                record.simulated, record.outcome, record.status = True, "ok", 200
                self._answered(record, chance.choice(offers), tokens, chance)
                self.store.end(record)
                return
        record.attempts = n = chance.choice((1, 1, 2, 3)) if kind != "in flight" else 1
        offer = chance.choice(offers)
        for k in range(1, n):
            other = chance.choice(offers)
            failed = self._attempt(record, k, other, at + k / 1000)
            self.store.begin(record, failed, self.decision(offer)) if k == 1 else self.store.attempt(failed)  # fmt: skip
            failed.outcome, failed.reason, failed.status = "failed", "503", 503
            failed.counted = chance.random() < 0.5
            failed.tokens = failed.cost = 0
            failed.duration_ms = chance.randrange(30)
            self.store.end_attempt(failed)
        last = self._attempt(record, n, offer, at + n / 1000)
        if kind == "in flight":
            record.reserved_tokens, record.reserved_cost = last.tokens, last.cost = 777, 5_000  # fmt: skip
        if n == 1:
            self.store.begin(record, last, self.decision(offer))
        else:
            self.store.attempt(last)
        if kind == "in flight":
            self.hold(record, last, offer)
            return
        record.outcome, record.status = kind, 200
        if kind == "error":
            record.status, record.error = 502, "503"
            if chance.random() < 0.7:
                tokens = Usage()
        self._answered(record, offer, tokens, chance)
        if kind == "translated":
            record.outcome, record.translated, record.adapted = "ok", "messages>chat", "system"  # fmt: skip
        last.outcome = {"ok": "ok", "error": "failed"}.get(record.outcome, record.outcome)  # fmt: skip
        last.status, last.ttft_ms = record.status, record.ttft_ms
        last.tokens, last.cost = record.usage.total, record.cost or 0
        last.duration_ms = record.duration_ms
        self.store.end(record, last)

    def hold(self, record: RequestRecord, attempt: AttemptRecord, offer: Offer) -> None:
        """What runs is reserved, once the ledger is replayed."""
        self._open = [*self._open, (record, attempt, offer)]

    _open: Sequence[tuple[RequestRecord, AttemptRecord, Offer]] = ()

    def write(self) -> None:
        """Limits out of the ledger, what runs on top, and all of it as the heartbeat does."""
        self.committed()
        state, now = self.state, self.now
        running = {record.id for record, _, _ in self._open}
        spent = [one for one in self.store.spent(now - 32 * DAY) if one.id.split("/")[0] not in running]  # fmt: skip
        state.limiter.replay(spent, tuple(self.catalog.limits()), now)
        for record, attempt, offer in self._open:
            known = record.known_client
            held = state.limiter.reserve(
                self.catalog.limits_for(offer, known),
                Charge(1, attempt.tokens, attempt.cost),
                now,
                id=f"{record.id}/1",
                scopes=scopes_of(*offer.key, known),
            )
            assert isinstance(held, Reservation), held
        state.publish()
        write_standings(state, now)
        self.store.gateway_state(
            GatewayState("0.1.0", now - HOUR, now, port=8080, pid=1, policy=self.policy.value, budget_set=True, config_revision="r1", config_loaded_at=now - HOUR)
        )  # fmt: skip
        self.committed()
        self.store.close()

    def committed(self) -> None:
        """On a busy disk nobody waits for a write, so that is asked again."""
        assert any(self.store.flush().result(30) for _ in range(20))

    def decision(self, taken: Offer | None) -> Decision:
        offers = self.catalog.offers[:3] if taken is None else (taken, self.catalog.offers[0])  # fmt: skip
        return Decision("coder", self.policy, tuple(self._candidates(offers, taken)))

    def _candidates(self, offers: Sequence[Offer], taken: Offer | None) -> Iterator[Candidate]:  # fmt: skip
        for n, offer in enumerate(offers):
            if n == 0 and taken is not None:
                yield Candidate(offer, Verdict.TAKEN, "free", headroom=0.5)
            else:
                yield Candidate(offer, Verdict.SKIPPED, "requests/day 20 of 20", state="at limit", returns_at=self.now + 60)  # fmt: skip

    def _attempt(self, record: RequestRecord, n: int, offer: Offer, at: float) -> AttemptRecord:  # fmt: skip
        return AttemptRecord(record.id, n, at, *offer.key)

    def _answered(self, record: RequestRecord, offer: Offer, tokens: Usage, chance: random.Random) -> None:  # fmt: skip
        record.provider, record.account, record.model = offer.key
        record.usage = tokens
        record.ttft_ms = chance.randrange(1, record.duration_ms or 40)
        price = offer.price
        if offer.zero_cost:
            record.cost, record.price_source = 0, "free"
            if offer.list_price is not None and tokens.total:
                record.saved = tokens.prompt * 3_000 + tokens.completion * 9_000
        elif price is not None:
            record.price_source = "config"
            record.cost = tokens.prompt * 3_000 + tokens.completion * 9_000


_KINDS = ("ok", "ok", "translated", "error", "refused", "cancelled", "truncated", "lost",
          "passthrough", "simulated")  # fmt: skip


def moments(
    chance: random.Random, now: float, edges: Sequence[float], count: int
) -> list[float]:
    """Now, today, the last weeks; and both sides of every edge, to the second.

    None lies where a rolling day or hour just closes: the ledger is folded by minutes there.
    """
    found = [now - span * chance.random() for span in (50, 3500, 23 * HOUR, 6 * DAY, 70 * DAY) for _ in range(count)]  # fmt: skip
    found += [edge + step for edge in edges for step in (-1, -0.001, 0, 0.001, 1700)]
    closing = (MINUTE, HOUR, DAY, 31 * DAY)
    return [
        at
        for at in found
        if at < now - 12 and all(not -15 <= now - at - span <= 120 for span in closing)
    ]

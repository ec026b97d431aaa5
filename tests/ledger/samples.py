"""Records as the gateway makes them, with everything that a test does not care about."""

from functools import cache

from sqlite_utils import Database

from llm_gateway.domain import (
    AttemptRecord,
    Candidate,
    Decision,
    Offer,
    Policy,
    RequestRecord,
    Usage,
    Verdict,
)
from llm_gateway.ledger import schema

AT = 1_772_368_496.789
"""2026-03-01T12:34:56.789Z"""


def request(id: str, at: float = AT, **values) -> RequestRecord:
    record = RequestRecord(
        id=id,
        at=at,
        client="cursor",
        app="openai-python",
        dialect="chat",
        requested_model="flash",
        reserved_tokens=100,
        reserved_cost=5_000,
    )
    for name, value in values.items():
        assert hasattr(record, name), name
        setattr(record, name, value)
    return record


def attempt(id: str, n: int = 1, at: float = AT, **values) -> AttemptRecord:
    record = AttemptRecord(
        request=id,
        n=n,
        at=at,
        provider="groq",
        account="",
        model="llama",
        tokens=100,
        cost=5_000,
    )
    for name, value in values.items():
        assert hasattr(record, name), name
        setattr(record, name, value)
    return record


def ended(record: RequestRecord, **values) -> RequestRecord:
    """The request, answered by groq."""
    record.outcome = "ok"
    record.status = 200
    record.provider, record.account, record.model = "groq", "", "llama"
    record.usage = Usage(30, 5, 0, 20, 10, "reported")
    record.cost, record.saved = 0, 1_500_000
    record.ttft_ms, record.duration_ms = 120, 900
    record.attempts = 1
    for name, value in values.items():
        assert hasattr(record, name), name
        setattr(record, name, value)
    return record


GROQ = Offer("groq", "", "llama", "groq", "flash", free=True)
OPENAI = Offer("openai", "1", "gpt-4o-mini", "openai", "flash")

DECISION = Decision(
    "flash",
    Policy.FREE_FIRST,
    (
        Candidate(GROQ, Verdict.TAKEN, "warm", headroom=0.75),
        Candidate(
            OPENAI,
            Verdict.SKIPPED,
            "requests/day 20 of 20",
            state="at limit",
            expected_cost=1_250_000,
            returns_at=AT + 60,
        ),
    ),
)


def migrated() -> Database:
    """An empty ledger in memory: a copy, since each statement of the schema takes its time."""
    db = Database(memory=True)
    db.conn.deserialize(_empty())
    return db


@cache
def _empty() -> bytes:
    db = Database(memory=True)
    schema.migrate(db)
    found: bytes = db.conn.serialize()
    db.close()
    return found

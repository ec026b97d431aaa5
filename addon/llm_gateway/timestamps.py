"""ISO 8601 timestamps as the ledger stores them, and Unix seconds."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=256)
def iso(at: float) -> str:
    """Unix seconds as `2026-03-01T12:00:00.123Z`: sorts as it reads."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def unix(stamp: str) -> float:
    """The way back from `iso`."""
    return datetime.fromisoformat(stamp).timestamp()

"""The sums that make a year as quick to ask as a minute.

What lives here: the tables `usage_minute`, `usage_hour` and `usage_day`, the triggers on
`requests` that keep them, and the statement that fills them from rows that are older than
the triggers. All three have the same columns; a request is counted once, when it is
finished, under the minute, hour and day (UTC) in which it began.

A simulated request is counted in the `simulated_*` columns and nowhere else.

This is history of the schema, like a migration: once released, it is not edited.
"""

from collections.abc import Mapping

PERIODS = {
    "minute": "substr({row}ts, 1, 16)",
    "hour": "substr({row}ts, 1, 13) || ':00'",
    "day": "substr({row}ts, 1, 10)",
}
"""Period -> how it is read from `ts`: `2026-03-01T12:34`, `2026-03-01T12:00`, `2026-03-01`."""

KEY = {
    "provider": "coalesce({row}provider, '')",
    "model": "coalesce({row}model, '')",
    "client": "{row}client",
}

TOKENS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)

_REAL = "{row}simulated = 0"
_STREAM = (
    "{row}simulated = 0 AND {row}streamed = 1 AND {row}outcome = 'ok'"
    " AND {row}duration_ms > {row}ttft_ms"
)

# Column -> what one request adds to it. NULL adds nothing, and a sum of NULLs only stays
# NULL: that is how a cost that nobody knows never turns into 0.
SUMS = {
    "requests": f"({_REAL})",
    "errors": f"({_REAL} AND {{row}}outcome IN ('error', 'truncated', 'lost'))",
    "refused": f"({_REAL} AND {{row}}outcome = 'refused')",
    "cancelled": f"({_REAL} AND {{row}}outcome = 'cancelled')",
    "passthrough": f"({_REAL} AND {{row}}outcome = 'passthrough')",
    **{name: f"({_REAL}) * {{row}}{name}" for name in TOKENS},
    "cost_nano": f"CASE WHEN {_REAL} THEN {{row}}cost_nano END",
    "saved_nano": f"CASE WHEN {_REAL} THEN {{row}}saved_nano END",
    "unknown_cost": (
        f"({_REAL} AND {{row}}cost_nano IS NULL AND {{row}}outcome <> 'refused')"
    ),
    "streams": f"coalesce({_STREAM}, 0)",
    "ttft_ms": f"CASE WHEN {_STREAM} THEN {{row}}ttft_ms ELSE 0 END",
    "stream_ms": f"CASE WHEN {_STREAM} THEN {{row}}duration_ms - {{row}}ttft_ms ELSE 0 END",
    "stream_tokens": (
        f"CASE WHEN {_STREAM} THEN {{row}}output_tokens + {{row}}reasoning_tokens ELSE 0 END"
    ),
    "simulated_requests": "({row}simulated = 1)",
    "simulated_tokens": "({row}simulated = 1) * {row}total_tokens",
    "simulated_cost_nano": "CASE WHEN {row}simulated = 1 THEN {row}cost_nano END",
}

MAY_BE_UNKNOWN = ("cost_nano", "saved_nano", "simulated_cost_nano")


def _table(period: str) -> str:
    columns = [f"{period} TEXT NOT NULL", *(f"{name} TEXT NOT NULL" for name in KEY)]
    for name in SUMS:
        if name in MAY_BE_UNKNOWN:
            columns.append(f"{name} INTEGER")
            dollars = name.replace("_nano", "_usd")
            columns.append(f"{dollars} REAL AS ({name} / 1e9)")
        else:
            columns.append(f"{name} INTEGER NOT NULL DEFAULT 0")
        if name == "reasoning_tokens":
            columns.append(f"total_tokens INTEGER AS ({' + '.join(TOKENS)})")
    columns.append(f"PRIMARY KEY ({', '.join((period, *KEY))})")
    body = ",\n  ".join(columns)
    return f"CREATE TABLE usage_{period} (\n  {body}\n) STRICT, WITHOUT ROWID"


def _added(name: str) -> str:
    if name in MAY_BE_UNKNOWN:
        return f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})"
    return f"{name} = {name} + excluded.{name}"


def _upsert(period: str, sums: Mapping[str, str]) -> str:
    names = (period, *KEY, *sums)
    values = (PERIODS[period], *KEY.values(), *sums.values())
    filled = ", ".join(value.format(row="new.") for value in values)
    return (
        f"INSERT INTO usage_{period} ({', '.join(names)}) VALUES ({filled})"
        f" ON CONFLICT ({', '.join((period, *KEY))})"
        f" DO UPDATE SET {', '.join(map(_added, sums))};"
    )


def _backfill(period: str) -> str:
    names = (period, *KEY, *SUMS)
    key = [value.format(row="") for value in (PERIODS[period], *KEY.values())]
    sums = [f"sum({value.format(row='')})" for value in SUMS.values()]
    groups = ", ".join(str(n + 1) for n in range(len(key)))
    return (
        f"INSERT INTO usage_{period} ({', '.join(names)})"
        f" SELECT {', '.join(key + sums)} FROM requests"
        f" WHERE outcome <> 'in_flight' GROUP BY {groups}"
    )


TRIGGERS = (
    "requests_counted_at_once",
    "requests_counted_at_end",
    "requests_settled_later",
)


def triggers(sums: Mapping[str, str]) -> tuple[str, ...]:
    """CREATE statements of TRIGGERS, which add `sums` of each finished request."""
    upserts = "\n  ".join(_upsert(period, sums) for period in PERIODS)
    settled = "\n  ".join(_upsert_settled(period, sums) for period in PERIODS)
    return (
        "CREATE TRIGGER requests_counted_at_once AFTER INSERT ON requests"
        f" WHEN new.outcome <> 'in_flight' BEGIN\n  {upserts}\nEND",
        "CREATE TRIGGER requests_counted_at_end AFTER UPDATE OF outcome ON requests"
        " WHEN old.outcome = 'in_flight' AND new.outcome <> 'in_flight'"
        f" BEGIN\n  {upserts}\nEND",
        "CREATE TRIGGER requests_settled_later AFTER UPDATE OF usage_source ON requests"
        " WHEN old.outcome <> 'in_flight' AND old.usage_source = 'unknown'"
        " AND new.usage_source <> 'unknown'"
        f" BEGIN\n  {settled}\nEND",
    )


_SETTLED = (*TOKENS, "cost_nano", "saved_nano", "unknown_cost")
"""What a request may add after its end: its usage was unknown, and is reported now."""


def _upsert_settled(period: str, of: Mapping[str, str]) -> str:
    names = (period, *KEY, *_SETTLED)
    keys = [value.format(row="new.") for value in (PERIODS[period], *KEY.values())]
    sums = [of[name].format(row="new.") for name in _SETTLED[:-1]]
    known = of["unknown_cost"]
    sums.append(f"{known.format(row='new.')} - {known.format(row='old.')}")
    return (
        f"INSERT INTO usage_{period} ({', '.join(names)})"
        f" VALUES ({', '.join((*keys, *sums))})"
        f" ON CONFLICT ({', '.join((period, *KEY))})"
        f" DO UPDATE SET {', '.join(map(_added, _SETTLED))};"
    )


*_AT_END, SETTLED_LATER = triggers(SUMS)
"""The last is a migration of its own: answers made in the background are settled when
they are fetched."""

STATEMENTS = (*map(_table, PERIODS), *map(_backfill, PERIODS), *_AT_END)

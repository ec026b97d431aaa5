"""Filters of the Requests page, from and to the address of the page.

    provider, model, client, asked   the column, word for word
    outcome                          one of OUTCOMES
    q                                text in a name, an app, an error; the start of an id
    range, tz                        1h … 90d, or today in that time zone
    from, to                         ISO times, UTC where they name no zone
    paid=1, unpriced=1               what was billed; answers without a price
    routed=1                         to a provider of the configuration: nothing passed through
    sim=0, other=1                   without simulated; with telemetry, lists and the like
    before, after                    a page begins behind this one: `TIME~ROW`

What this file does not know: SQLite connections, HTML, clocks (`now` is an argument).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from llm_gateway.dashboard import usage_sums
from llm_gateway.dashboard.availability import moment, stamp

HOUR, DAY = 3600, 86_400
RANGES = {
    "1h": HOUR,
    "6h": 6 * HOUR,
    "24h": DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
    "90d": 90 * DAY,
}
TODAY = "today"
OUTCOMES = {
    "unanswered": ("error", "refused", "truncated", "lost"),
    "failed": ("error", "truncated", "lost"),
    "ok": ("ok",),
    "error": ("error",),
    "refused": ("refused",),
    "truncated": ("truncated",),
    "cancelled": ("cancelled",),
    "passthrough": ("passthrough",),
    "lost": ("lost",),
    "in_flight": ("in_flight",),
}
"""Word in the address -> outcomes of `requests`."""
COLUMNS = {
    "provider": "provider",
    "model": "model",
    "client": "client",
    "asked": "requested_model",
}
FLAGS = (
    ("paid", "1"),
    ("unpriced", "1"),
    ("routed", "1"),
    ("other", "1"),
    ("sim", "0"),
)
"""(name, the value that filters)."""
LONGEST = 300
"""Characters of a value."""
UNPRICED = """(cost_nano IS NULL AND provider IS NOT NULL AND outcome <> 'in_flight'
  AND outcome NOT IN ('refused', 'passthrough')
  AND (outcome <> 'error' OR total_tokens > 0))"""
_TEXT = """lower(requested_model || ' ' || client || ' ' || app
  || ' ' || coalesce(provider, '') || ' ' || coalesce(model, '')
  || ' ' || coalesce(host, '') || ' ' || coalesce(error, ''))"""
_CURSOR = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z)~(\d{1,18})")


class BadFilter(ValueError):
    """A parameter that makes no sense; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: a request's `ts` and rowid."""

    ts: str
    row: int

    def __str__(self) -> str:
        return f"{self.ts}~{self.row}"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for. `given` is the address, without the place in the list."""

    given: tuple[tuple[str, str], ...] = ()
    since: str = ""
    """ISO, as `requests.ts`; "" for no bound."""
    until: str = ""
    before: Cursor | None = None
    after: Cursor | None = None

    def get(self, name: str) -> str:
        return dict(self.given).get(name, "")

    def query(self, **changed: str) -> str:
        """The query string, with these changed; an empty one is left out."""
        return urlencode(
            {k: v for k, v in {**dict(self.given), **changed}.items() if v}
        )

    def at(self, place: Cursor | None, *, newer: bool = False) -> "Filters":
        """The same, from this place on."""
        if newer:
            return replace(self, before=None, after=place)
        return replace(self, before=place, after=None)

    def conditions(self) -> tuple[str, dict[str, str]]:
        """SQL over a row of `requests`, and its parameters; times and place are not in it."""
        parts, params = [], {}
        for name, column in COLUMNS.items():
            if value := self.get(name):
                parts.append(f"{column} = :{name}")
                params[name] = value
        if kind := self.get("outcome"):
            listed = ", ".join(f"'{one}'" for one in OUTCOMES[kind])
            parts.append(f"outcome IN ({listed})")
        if self.get("paid"):
            parts.append("cost_nano > 0")
        if self.get("unpriced"):
            parts.append(UNPRICED)
        if self.get("routed"):
            parts.append("provider IS NOT NULL")
        if self.get("sim") == "0":
            parts.append("simulated = 0")
        if not self.get("other"):
            parts.append("dialect <> 'other'")
        if text := self.get("q"):
            parts.append(
                f"(id LIKE :start ESCAPE '\\' OR instr({_TEXT}, lower(:q)) > 0)"
            )
            params |= {"q": text, "start": _escaped(text) + "%"}
        return " AND ".join(parts) or "1", params

    @property
    def not_ok(self) -> bool:
        """Only what did not end well is looked for: there is an index of that."""
        kind = self.get("outcome")
        return bool(kind) and "ok" not in OUTCOMES[kind]

    @property
    def keyed(self) -> dict[str, str]:
        """Those that the rollups know, too: they tell where in time to look."""
        return {n: v for n in ("provider", "model", "client") if (v := self.get(n))}


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def filters(args: Mapping[str, str], now: float) -> Filters:
    """From the query string.

    Raises:
        BadFilter: a value that is none of those above.
    """
    given: dict[str, str] = {}
    for name in (*COLUMNS, "q"):
        value = (args.get(name) or "").strip()
        if len(value) > LONGEST:
            raise BadFilter(f"{name} is longer than {LONGEST} characters")
        if value:
            given[name] = value
    if kind := args.get("outcome") or "":
        if kind not in OUTCOMES:
            raise BadFilter(f"outcome is {kind!r}; write one of {', '.join(OUTCOMES)}")
        given["outcome"] = kind
    for name, only in FLAGS:
        if value := args.get(name) or "":
            if value not in ("0", "1"):
                raise BadFilter(f"{name} is {value!r}; write {name}={only}")
            if value == only:
                given[name] = value
    since, until = _span(args, now, given)
    return Filters(
        tuple(given.items()),
        since,
        until,
        _cursor(args, "before"),
        _cursor(args, "after"),
    )


def _span(
    args: Mapping[str, str], now: float, given: dict[str, str]
) -> tuple[str, str]:
    since = until = ""
    if span := args.get("range") or "":
        if span == TODAY:
            where = usage_sums.zone(args.get("tz"))
            if where is None:
                found = args.get("tz")
                raise BadFilter(f"tz is {found!r}; write e.g. Europe/Berlin")
            since = stamp(usage_sums.midnight(now, where))
            if args.get("tz"):
                given["tz"] = args["tz"]
        elif span in RANGES:
            since = stamp(now - RANGES[span])
        else:
            known = ", ".join((TODAY, *RANGES))
            raise BadFilter(f"range is {span!r}; write one of {known}")
        given["range"] = span
    for name in ("from", "to"):
        if text := args.get(name) or "":
            at = moment(text)
            if at is None:
                raise BadFilter(f"{name} is {text[:40]!r}; write 2026-03-01T12:00Z")
            given[name] = text
            if name == "from":
                since = max(since, stamp(at))
            else:
                until = stamp(at)
    return since, until


def _cursor(args: Mapping[str, str], name: str) -> Cursor | None:
    text = args.get(name) or ""
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    if not found:
        raise BadFilter(f"{name} is {text[:40]!r}; follow the page's own links")
    return Cursor(found[1], int(found[2]))


def as_text(found: Filters) -> list[tuple[str, str, str]]:
    """[(name, value, the address without it)], for the chips above the list."""
    return [
        (name, value, found.query(**{name: ""}))
        for name, value in found.given
        if name != "tz"
    ]

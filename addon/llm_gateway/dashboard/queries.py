"""Every question the live page and the Request page ask, as SQL.

Rules: bound parameters only; the newest rows by index on `ts` or the primary key (ids
are UUIDv7, so they sort by time); sums over more than ten minutes from the rollups.
Nothing here is slower after a year than on the first day.

What this file does not know: what the answers mean (standing.py, live.py).
"""

LEDGER_TABLES = (
    "requests",
    "attempts",
    "decisions",
    "limit_state",
    "offer_state",
    "gateway_state",
    "usage_minute",
)
"""A SQLite file that has all of these is a ledger."""

GATEWAY = """
SELECT version, port, heartbeat, started_at, policy, budget_set, config_revision,
  config_loaded_at, config_error, degraded
FROM gateway_state WHERE id = 1
"""

DETAIL = """
SELECT detail FROM gateway_state WHERE id = 1
"""

MEMBERS = """
SELECT member, heartbeat, state, host, port, version, in_flight, clock_offset_ms
FROM members ORDER BY member
"""

PROVIDERS = """
SELECT * FROM providers
"""

MODELS = """
SELECT provider, model, name, aliases, enabled, reason, free,
  input_usd_per_million, output_usd_per_million, price_source,
  list_input_usd_per_million, list_output_usd_per_million
FROM models ORDER BY provider, model, name
"""

MODEL_TO_TEST = """
SELECT model FROM models WHERE provider = :provider AND enabled
ORDER BY NOT free, model IN
  (SELECT model FROM offer_state WHERE provider = :provider AND state <> 'ready'), model
LIMIT 1
"""

MODEL_CHANGES = """
SELECT ts, kind, subject, message FROM
  (SELECT * FROM events WHERE ts >= :since ORDER BY ts DESC LIMIT :newest)
WHERE kind IN ('model.new', 'model.gone', 'model.price', 'model.retired', 'model.back')
ORDER BY ts DESC, id DESC LIMIT :count
"""
"""Bounded, however many other events there are."""

QUIRKS = """
SELECT provider, model, dialect, quirk, says, learned_at, words, uses
FROM quirks ORDER BY learned_at DESC
"""

OFFERS = """
SELECT provider, account, model, state, reason, returns_at
FROM offer_state ORDER BY provider, model, account
"""

LIMIT_STATE = """
SELECT scope, provider, account, model, client, metric, "window",
  used, reserved, amount, resets_at, source, as_of
FROM limit_state
"""

LIMITS = """
SELECT scope, provider, account, model, client, metric, "window",
  amount, reset, source, as_of
FROM limits ORDER BY scope, provider, account, model, client, metric, "window"
"""


def _one_text(*columns: str) -> str:
    return f"printf('{chr(31).join(['%s'] * len(columns))}', {', '.join(columns)})"


STANDING_ROWS = (
    "SELECT * FROM providers",
    f"""SELECT {
        _one_text(
            *("provider", "model", "name", "aliases", "enabled", "reason", "free"),
            *("input_usd_per_million", "output_usd_per_million", "price_source"),
        )
    } FROM models ORDER BY provider, model, name""",
    f"""SELECT {
        _one_text("provider", "account", "model", "state", "reason", "returns_at")
    } FROM offer_state ORDER BY provider, model, account""",
    f"""SELECT {
        _one_text(
            *("scope", "provider", "account", "model", "client", "metric", '"window"'),
            *("used", "reserved", "amount", "resets_at", "source", "as_of"),
        )
    } FROM limit_state""",
    "SELECT json_extract(detail, '$.polls') FROM gateway_state WHERE id = 1",
)
"""All that says how providers and models stand, without when it was written."""

TRAFFIC_MARKS = """
SELECT (SELECT max(rowid) FROM requests), (SELECT max(request) FROM decisions),
  (SELECT max(id) FROM events)
"""
"""Others when a request has begun; while one is on its way, its rows change, too."""

SLOTS_FROM_ROWS = """
SELECT coalesce(provider, '') AS provider, coalesce(model, '') AS model,
  (CAST(strftime('%s', ts) AS INTEGER) - :start) / :step AS slot,
  sum(simulated = 0) AS requests,
  sum(simulated) AS simulated_requests,
  sum((simulated = 0) * total_tokens) AS tokens,
  sum(simulated * total_tokens) AS simulated_tokens,
  coalesce(sum((simulated = 0) * cost_nano), 0) AS cost,
  coalesce(sum(simulated * cost_nano), 0) AS simulated_cost,
  sum(simulated = 0 AND outcome IN ('error', 'truncated', 'lost')) AS errors,
  sum(simulated = 0 AND outcome = 'refused') AS refused
FROM requests
WHERE ts >= :since AND outcome <> 'in_flight'
GROUP BY 1, 2, 3
"""

SLOTS_FROM_MINUTES = """
SELECT provider, model,
  (CAST(strftime('%s', minute) AS INTEGER) - :start) / :step AS slot,
  sum(requests) AS requests,
  sum(simulated_requests) AS simulated_requests,
  sum(total_tokens) AS tokens,
  sum(simulated_tokens) AS simulated_tokens,
  coalesce(sum(cost_nano), 0) AS cost,
  coalesce(sum(simulated_cost_nano), 0) AS simulated_cost,
  sum(errors) AS errors,
  sum(refused) AS refused
FROM usage_minute
WHERE minute >= :since
GROUP BY 1, 2, 3
"""

# `outcome <> 'ok'` word for word is how SQLite recognises the partial index.
IN_FLIGHT = """
SELECT count(*) AS requests, coalesce(sum(ts >= :start), 0) AS recent FROM requests
WHERE ts >= :since AND outcome <> 'ok' AND outcome = 'in_flight'
"""

RATES = """
SELECT provider, model,
  sum(requests + simulated_requests) AS requests,
  sum(total_tokens + simulated_tokens) AS tokens,
  sum(coalesce(cost_nano, 0) + coalesce(simulated_cost_nano, 0)) AS cost
FROM usage_minute
WHERE minute >= :since
GROUP BY 1, 2
"""

ANY_REQUEST = "SELECT EXISTS (SELECT 1 FROM requests) AS found"

_OLDEST = """coalesce(
  (SELECT id FROM requests ORDER BY id DESC LIMIT 1 OFFSET :within - 1), '')"""
# Among the newest `within`: found in the index alone, where a subquery that selects them
# would copy each whole row, found or not.
_NEWEST = """
SELECT id, ts, client, requested_model, provider, model, status, outcome, streamed,
  attempts, total_tokens, cost_usd, saved_usd, duration_ms, error, simulated, host,
  {translated} AS translated
FROM requests
WHERE id >= {oldest} AND simulated <= :simulated AND (:other OR dialect <> 'other')
ORDER BY id DESC LIMIT :count
"""
NEWEST = _NEWEST.format(oldest=_OLDEST, translated="translated")
NEWEST_OF_OLD = _NEWEST.format(oldest=_OLDEST, translated="NULL")
"""The same, of a ledger that no gateway of this version has opened."""

ATTEMPTS_OF = """
SELECT request, n, provider, account, model, status, outcome, reason
FROM attempts
WHERE request IN (SELECT value FROM json_each(:ids))
ORDER BY request, n
"""

DECISIONS_OF = """
SELECT request, candidates FROM decisions
WHERE request IN (SELECT value FROM json_each(:ids))
"""

OF_OFFER = f"""
SELECT id, ts, client, requested_model, outcome, status, total_tokens, cost_usd,
  duration_ms, error, simulated
FROM requests
WHERE id >= {_OLDEST} AND provider = :provider AND model = :model
ORDER BY id DESC LIMIT :count
"""

ERRORS_OF_OFFER = """
SELECT request, ts, status, reason FROM attempts
WHERE ts >= :since AND outcome <> 'ok' AND outcome = 'failed'
  AND provider = :provider AND model = :model
ORDER BY ts DESC LIMIT :count
"""

REQUEST = "SELECT * FROM requests WHERE id = :id"

ATTEMPTS = "SELECT * FROM attempts WHERE request = :id ORDER BY n"

DECISION = "SELECT * FROM decisions WHERE request = :id"

EVENTS = """
SELECT id, ts, kind, subject, message, detail FROM events
WHERE kind = :kind ORDER BY id DESC LIMIT :count
"""

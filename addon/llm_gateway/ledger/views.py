"""Answers with names, for people who would rather not write the SQL.

What lives here: the views. Those that sum read the daily rollup, so they are as quick
after a year as on the first day; `failures` reads the rows themselves, newest first.

Simulated requests are left out everywhere. Money is summed in nano-dollars and shown in
dollars; NULL means that no row had a known price, and `unknown_cost` says how many had
none.
"""

TOTALS = """
  sum(requests) AS requests,
  sum(errors) AS errors,
  sum(input_tokens + cached_tokens + cache_write_tokens) AS prompt_tokens,
  sum(output_tokens + reasoning_tokens) AS completion_tokens,
  sum(total_tokens) AS total_tokens,
  sum(cost_nano) / 1e9 AS cost_usd,
  sum(saved_nano) / 1e9 AS saved_usd,
  sum(unknown_cost) AS unknown_cost"""

DAILY_COST = f"""
CREATE VIEW daily_cost AS
SELECT day,{TOTALS}
FROM usage_day
GROUP BY day
HAVING sum(requests) > 0
ORDER BY day DESC
"""

PROVIDER_USAGE = f"""
CREATE VIEW provider_usage AS
SELECT CASE provider WHEN '' THEN '(none)' ELSE provider END AS provider,{TOTALS},
  min(day) AS first_day,
  max(day) AS last_day
FROM usage_day
GROUP BY 1
HAVING sum(requests) > 0
ORDER BY requests DESC
"""

MODEL_USAGE = f"""
CREATE VIEW model_usage AS
SELECT CASE provider WHEN '' THEN '(none)' ELSE provider END AS provider,
  CASE model WHEN '' THEN '(none)' ELSE model END AS model,{TOTALS},
  round(sum(stream_tokens) * 1000.0 / nullif(sum(stream_ms), 0), 1) AS tokens_per_second,
  sum(ttft_ms) / nullif(sum(streams), 0) AS average_ttft_ms,
  max(day) AS last_day
FROM usage_day
GROUP BY 1, 2
HAVING sum(requests) > 0
ORDER BY requests DESC
"""

CLIENT_USAGE = f"""
CREATE VIEW client_usage AS
SELECT client,{TOTALS},
  min(day) AS first_day,
  max(day) AS last_day
FROM usage_day
GROUP BY client
HAVING sum(requests) > 0
ORDER BY requests DESC
"""

SAVINGS = """
CREATE VIEW savings AS
SELECT day,
  sum(saved_nano) / 1e9 AS saved_usd,
  sum(cost_nano) / 1e9 AS cost_usd,
  round(100.0 * sum(saved_nano)
        / nullif(sum(saved_nano) + coalesce(sum(cost_nano), 0), 0), 1) AS saved_percent,
  sum(requests) AS requests
FROM usage_day
GROUP BY day
HAVING sum(saved_nano) IS NOT NULL
ORDER BY day DESC
"""

# `outcome <> 'ok'` word for word: that is how SQLite recognises the partial index.
FAILURES = """
CREATE VIEW failures AS
SELECT ts, id AS request, outcome, status, error, client, requested_model,
  provider, model, attempts, duration_ms
FROM requests
WHERE outcome <> 'ok'
  AND outcome IN ('error', 'refused', 'truncated', 'lost')
  AND simulated = 0
ORDER BY ts DESC
"""

# By the rows themselves: they go with retention, the sums of all traffic stay.
TRANSLATIONS_INDEX = """
CREATE INDEX requests_translated ON requests(translated, ts) WHERE translated IS NOT NULL
"""
TRANSLATIONS = """
CREATE VIEW translations AS
SELECT translated AS pair, client,
  count(*) AS requests,
  sum(outcome IN ('error', 'refused', 'truncated', 'lost')) AS errors,
  sum(input_tokens + cached_tokens + cache_write_tokens) AS prompt_tokens,
  sum(output_tokens + reasoning_tokens) AS completion_tokens,
  sum(cost_nano) / 1e9 AS cost_usd,
  sum(saved_nano) / 1e9 AS saved_usd,
  max(ts) AS last_ts
FROM requests
WHERE translated IS NOT NULL AND simulated = 0
GROUP BY translated, client
ORDER BY requests DESC
"""

STATEMENTS = (
    DAILY_COST,
    PROVIDER_USAGE,
    MODEL_USAGE,
    CLIENT_USAGE,
    SAVINGS,
    FAILURES,
)

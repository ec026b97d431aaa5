"""The shape of `usage.db`: migrations, in the order in which they were made.

What lives here: every table, index, trigger and view, as SQL that the `sqlite3`
command line could run, and `migrate`, which brings any older file up to date.

Rule 1: a migration that was released is never edited; a change is a new one.
Rule 2: no function of ours may appear in SQL: every tool must be able to open the file.
Rule 3: all tables are STRICT, text keys and UTC times a person can read
(`2026-03-01T12:00:00.123Z`), money exact in integer nano-dollars (`*_nano`) with the
dollars beside it as a generated column (`*_usd`). NULL money is unknown, never 0.

The rollups (`usage_minute`, `usage_hour`, `usage_day`) are kept by triggers and count
finished requests only; `provider` and `model` are '' there where the request has none.

What this file does not know: who writes, when, and what happens when that fails.
The descriptions of the columns are in `datasette-metadata.json`.
"""

import sqlite3

from sqlite_utils import Database, Migrations

from llm_gateway.ledger import rollups, unpriced, views

MIGRATIONS = Migrations("llm_gateway")

REQUESTS = """
CREATE TABLE requests (
  id TEXT PRIMARY KEY NOT NULL,
  ts TEXT NOT NULL,
  client TEXT NOT NULL,
  known_client TEXT,
  app TEXT NOT NULL,
  dialect TEXT NOT NULL,
  requested_model TEXT NOT NULL,
  host TEXT,
  provider TEXT,
  account TEXT,
  model TEXT,
  status INTEGER,
  outcome TEXT NOT NULL,
  streamed INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  cached_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  total_tokens INTEGER AS (input_tokens + cached_tokens + cache_write_tokens
                           + output_tokens + reasoning_tokens),
  cost_usd REAL AS (cost_nano / 1e9),
  saved_usd REAL AS (saved_nano / 1e9),
  usage_source TEXT NOT NULL DEFAULT 'unknown',
  price_source TEXT,
  ttft_ms INTEGER,
  duration_ms INTEGER,
  error TEXT,
  simulated INTEGER NOT NULL DEFAULT 0,
  config_revision TEXT NOT NULL DEFAULT '',
  reserved_tokens INTEGER NOT NULL DEFAULT 0,
  reserved_cost_usd REAL AS (reserved_cost_nano / 1e9),
  cost_nano INTEGER,
  saved_nano INTEGER,
  reserved_cost_nano INTEGER NOT NULL DEFAULT 0
) STRICT
"""

ATTEMPTS = """
CREATE TABLE attempts (
  request TEXT NOT NULL REFERENCES requests(id),
  n INTEGER NOT NULL,
  ts TEXT NOT NULL,
  provider TEXT NOT NULL,
  account TEXT NOT NULL,
  model TEXT NOT NULL,
  client TEXT,
  status INTEGER,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  retry_after TEXT,
  ttft_ms INTEGER,
  duration_ms INTEGER,
  counted INTEGER NOT NULL DEFAULT 1,
  tokens INTEGER NOT NULL DEFAULT 0,
  cost_usd REAL AS (cost_nano / 1e9),
  cost_nano INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (request, n)
) STRICT, WITHOUT ROWID
"""

DECISIONS = """
CREATE TABLE decisions (
  request TEXT PRIMARY KEY NOT NULL REFERENCES requests(id),
  ts TEXT NOT NULL,
  model TEXT NOT NULL,
  policy TEXT NOT NULL,
  chosen TEXT,
  candidates TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

EVENTS = """
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  ts TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  message TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT '{}'
) STRICT
"""

# No index leads with model or provider: without statistics SQLite would walk the whole
# of it to spare a sort in `WHERE ts >= ? GROUP BY model`.
HISTORY_INDEXES = (
    "CREATE INDEX requests_ts ON requests(ts)",
    "CREATE INDEX requests_not_ok ON requests(ts, outcome) WHERE outcome <> 'ok'",
    "CREATE INDEX requests_simulated ON requests(ts) WHERE simulated = 1",
    "CREATE INDEX attempts_ts ON attempts(ts)",
    "CREATE INDEX attempts_not_ok ON attempts(ts, outcome) WHERE outcome <> 'ok'",
    "CREATE INDEX decisions_ts ON decisions(ts)",
    "CREATE INDEX events_ts ON events(ts)",
)

PROVIDERS = """
CREATE TABLE providers (
  id TEXT PRIMARY KEY NOT NULL,
  type TEXT NOT NULL,
  base_url TEXT,
  accounts INTEGER NOT NULL DEFAULT 1,
  enabled INTEGER NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  free INTEGER NOT NULL DEFAULT 0,
  flat_rate_usd_per_month REAL
) STRICT, WITHOUT ROWID
"""

MODELS = """
CREATE TABLE models (
  provider TEXT NOT NULL REFERENCES providers(id),
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  aliases TEXT NOT NULL DEFAULT '[]',
  dialects TEXT NOT NULL DEFAULT '[]',
  enabled INTEGER NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  free INTEGER NOT NULL DEFAULT 0,
  context_window INTEGER,
  input_usd_per_million REAL,
  output_usd_per_million REAL,
  cached_input_usd_per_million REAL,
  cache_write_usd_per_million REAL,
  usd_per_request REAL,
  price_source TEXT,
  list_input_usd_per_million REAL,
  list_output_usd_per_million REAL,
  PRIMARY KEY (provider, model, name)
) STRICT, WITHOUT ROWID
"""

# `amount`, `used` and `reserved` are requests, tokens or US$, as `metric` says: ANY keeps
# whole numbers whole.
LIMITS = """
CREATE TABLE limits (
  scope TEXT NOT NULL,
  provider TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  client TEXT NOT NULL DEFAULT '',
  metric TEXT NOT NULL,
  "window" TEXT NOT NULL,
  amount ANY NOT NULL,
  reset TEXT,
  source TEXT NOT NULL,
  as_of TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (scope, provider, account, model, client, metric, "window")
) STRICT, WITHOUT ROWID
"""

LIMIT_STATE = """
CREATE TABLE limit_state (
  scope TEXT NOT NULL,
  provider TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  client TEXT NOT NULL DEFAULT '',
  metric TEXT NOT NULL,
  "window" TEXT NOT NULL,
  used ANY NOT NULL,
  reserved ANY NOT NULL,
  amount ANY NOT NULL,
  resets_at TEXT,
  source TEXT NOT NULL,
  as_of TEXT NOT NULL DEFAULT '',
  observed_at TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (scope, provider, account, model, client, metric, "window")
) STRICT, WITHOUT ROWID
"""

OFFER_STATE = """
CREATE TABLE offer_state (
  provider TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL,
  name TEXT NOT NULL,
  free INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  returns_at TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (provider, account, model, name)
) STRICT, WITHOUT ROWID
"""

# `model` is '' where the bill is for everything of the account's key.
BILLED_OFFERS = """
CREATE TABLE billed_offers (
  provider TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  returns_at TEXT NOT NULL,
  config_revision TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (provider, account, model)
) STRICT, WITHOUT ROWID
"""

MODEL_LISTS = """
CREATE TABLE model_lists (
  provider TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  address TEXT NOT NULL,
  etag TEXT NOT NULL DEFAULT '',
  checked_at TEXT NOT NULL,
  models TEXT NOT NULL,
  PRIMARY KEY (provider, account)
) STRICT, WITHOUT ROWID
"""

RETIRED_MODELS = """
CREATE TABLE retired_models (
  provider TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL,
  address TEXT NOT NULL,
  retired_at TEXT NOT NULL,
  PRIMARY KEY (provider, account, model)
) STRICT, WITHOUT ROWID
"""

# Of one made in the background, `zero_cost` says how its usage is priced once it is there.
# `provider` is '' where an app asked for it with its own key.
BOUND_IDS = """
CREATE TABLE bound_ids (
  id TEXT PRIMARY KEY NOT NULL,
  ts TEXT NOT NULL,
  request TEXT NOT NULL,
  dialect TEXT NOT NULL,
  provider TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL,
  client TEXT,
  zero_cost INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
BOUND_IDS_INDEX = "CREATE INDEX bound_ids_ts ON bound_ids(ts)"

# Limits are rebuilt from attempts: what was reserved for an answer that was not there yet
# becomes what it came to.
ATTEMPTS_SETTLED_LATER = """
CREATE TRIGGER attempts_settled_later AFTER UPDATE OF usage_source ON requests
WHEN old.outcome <> 'in_flight' AND old.usage_source = 'unknown'
  AND new.usage_source = 'reported'
BEGIN
  UPDATE attempts SET tokens = new.total_tokens, cost_nano = coalesce(new.cost_nano, cost_nano)
  WHERE request = new.id AND n = new.attempts;
END
"""

GATEWAY_STATE = """
CREATE TABLE gateway_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version TEXT NOT NULL,
  port INTEGER,
  pid INTEGER,
  started_at TEXT NOT NULL,
  heartbeat TEXT NOT NULL,
  policy TEXT,
  budget_set INTEGER,
  config_revision TEXT,
  config_loaded_at TEXT,
  config_error TEXT,
  degraded TEXT NOT NULL DEFAULT '[]',
  detail TEXT NOT NULL DEFAULT '{}'
) STRICT
"""


QUIRKS = """
CREATE TABLE quirks (
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  dialect TEXT NOT NULL,
  quirk TEXT NOT NULL,
  says TEXT NOT NULL,
  learned_at TEXT NOT NULL,
  wording INTEGER NOT NULL,
  words TEXT NOT NULL DEFAULT '',
  address TEXT NOT NULL DEFAULT '',
  uses INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (provider, model, dialect, quirk)
) STRICT, WITHOUT ROWID
"""

# Of a conversation only a hash, and what a refusal taught of its history; taken back: ''.
CONVERSATION_QUIRKS = """
CREATE TABLE conversation_quirks (
  n INTEGER PRIMARY KEY,
  talk TEXT NOT NULL UNIQUE,
  quirks TEXT NOT NULL,
  learned_at TEXT NOT NULL
) STRICT
"""

# Of signatures and encrypted blocks only a hash, and who issued them.
OPAQUE = """
CREATE TABLE opaque (
  n INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  maker TEXT NOT NULL,
  ts TEXT NOT NULL
) STRICT
"""


# Only a member of a cluster has rows in these: who else there is, and which finished
# requests have not reached the member that collects them. `n` is never used twice.
MEMBERS = """
CREATE TABLE members (
  member TEXT PRIMARY KEY NOT NULL,
  heartbeat TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT '',
  host TEXT NOT NULL DEFAULT '',
  port INTEGER,
  version TEXT NOT NULL DEFAULT '',
  in_flight INTEGER NOT NULL DEFAULT 0,
  clock_offset_ms INTEGER NOT NULL DEFAULT 0,
  config_revision TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID
"""
COLLECTING = """
CREATE TABLE collecting (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  collector TEXT NOT NULL,
  ledger TEXT NOT NULL
) STRICT
"""
UNSENT = """
CREATE TABLE unsent (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  request TEXT NOT NULL UNIQUE
) STRICT
"""
_TO_SEND = """
CREATE TRIGGER requests_to_send_{when} AFTER {event} ON requests
WHEN new.outcome <> 'in_flight' AND new.member IS NULL
  AND EXISTS (SELECT 1 FROM collecting)
BEGIN
  INSERT OR REPLACE INTO unsent (request) VALUES (new.id);
END
"""
TO_SEND = (
    _TO_SEND.format(when="made", event="INSERT"),
    _TO_SEND.format(when="ended", event="UPDATE OF outcome"),
)


@MIGRATIONS()
def m001_history(db: Database) -> None:
    """Requests, their attempts, why they went where they went, what else happened."""
    for sql in (REQUESTS, ATTEMPTS, DECISIONS, EVENTS, *HISTORY_INDEXES):
        db.execute(sql)


@MIGRATIONS()
def m002_rollups(db: Database) -> None:
    """Sums per minute, hour and day, with what the history already holds."""
    for sql in rollups.STATEMENTS:
        db.execute(sql)


@MIGRATIONS()
def m003_running_state(db: Database) -> None:
    """The running configuration without secrets, and the state of the moment."""
    for sql in (PROVIDERS, MODELS, LIMITS, LIMIT_STATE, OFFER_STATE, GATEWAY_STATE):
        db.execute(sql)


@MIGRATIONS()
def m004_views(db: Database) -> None:
    """Answers with names: `daily_cost`, `provider_usage`, … `failures`."""
    for sql in views.STATEMENTS:
        db.execute(sql)


@MIGRATIONS()
def m005_settled_later(db: Database) -> None:
    """Requests whose usage is known only after their end: sums follow."""
    db.execute(rollups.SETTLED_LATER)


@MIGRATIONS()
def m006_billed_offers(db: Database) -> None:
    """What was billed though it counts as free is kept over a restart."""
    db.execute(BILLED_OFFERS)


@MIGRATIONS()
def m007_bound_ids(db: Database) -> None:
    """Answers that providers keep: whose they are, and what becomes of their attempts."""
    for sql in (BOUND_IDS, BOUND_IDS_INDEX, ATTEMPTS_SETTLED_LATER):
        db.execute(sql)


@MIGRATIONS()
def m008_quirks(db: Database) -> None:
    """What refusals taught, and which parts of a request were written otherwise."""
    db.execute(QUIRKS)
    db.execute("ALTER TABLE requests ADD COLUMN adapted TEXT")


@MIGRATIONS()
def m009_opaque(db: Database) -> None:
    """Who issued a signed block that comes back in a later request."""
    db.execute(OPAQUE)


@MIGRATIONS()
def m010_translated(db: Database) -> None:
    """Requests that were answered by somebody who speaks another dialect, by pair."""
    db.execute("ALTER TABLE requests ADD COLUMN translated TEXT")
    db.execute(views.TRANSLATIONS_INDEX)
    db.execute(views.TRANSLATIONS)


@MIGRATIONS()
def m011_cluster(db: Database) -> None:
    """Several gateways: whose request a row is, who there is, what is still to be sent."""
    db.execute("ALTER TABLE requests ADD COLUMN member TEXT")
    for sql in (MEMBERS, COLLECTING, UNSENT, *TO_SEND):
        db.execute(sql)


@MIGRATIONS()
def m012_unpriced(db: Database) -> None:
    """An answer without a price is one of ours: not what failed, not what passed through."""
    for sql in unpriced.STATEMENTS:
        db.execute(sql)


@MIGRATIONS()
def m013_way_out(db: Database) -> None:
    """By way of which outbound proxy a provider is reached."""
    db.execute("ALTER TABLE providers ADD COLUMN way_out TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def m014_model_lists(db: Database) -> None:
    """What providers list, for a start without network, and what they list in vain."""
    db.execute(MODEL_LISTS)
    db.execute(RETIRED_MODELS)


@MIGRATIONS()
def m015_conversation_quirks(db: Database) -> None:
    """What refusals taught of single conversations."""
    db.execute(CONVERSATION_QUIRKS)


def names() -> tuple[str, ...]:
    """The migrations that this version knows, oldest first."""
    empty = Database(memory=True)
    try:
        return tuple(m.name for m in MIGRATIONS.pending(empty))
    finally:
        empty.close()


def prepare_file(db: Database) -> None:
    """What must be said to a file before its first table. Writes nothing to one in use."""
    if not db.table_names():
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if db.execute("PRAGMA page_count").fetchone()[0]:
            db.execute("VACUUM")  # somebody made it empty; only this changes its mind
    use_log(db)


def use_log(db: Database) -> None:
    """Write ahead, so that readers and the writer do not wait for each other. Nothing
    happens where that is so already; not while another program holds the file."""
    try:
        db.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise


def migrate(db: Database) -> None:
    """Bring the file up to date; nothing is written when it already is."""
    if MIGRATIONS.pending(db):
        MIGRATIONS.apply(db)

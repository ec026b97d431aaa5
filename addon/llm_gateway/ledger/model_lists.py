"""The lists of models that providers gave, and what is retired, over a restart.

What lives here: the rows of `model_lists` and `retired_models`, and their reading. A row
that another version wrote in another form is left out: the list is asked for again.

What this file does not know: files, threads, which models are wanted.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llm_gateway.ledger.rows import storable
from llm_gateway.ledger.table_snapshots import TableSnapshot
from llm_gateway.providers.listed_models import Lists, ModelList, as_json, from_json
from llm_gateway.timestamps import iso, unix

Retired = Mapping[tuple[str, str, str], tuple[float, str]]
"""(provider, account, model) -> since when, at which address."""

ALL_LISTS = (
    "SELECT provider, account, address, etag, checked_at, models FROM model_lists"
)
ALL_RETIRED = "SELECT provider, account, model, address, retired_at FROM retired_models"


def model_lists(lists: Lists) -> TableSnapshot:
    rows = tuple(
        (
            *(storable(provider), account, storable(found.address), found.etag),
            *(iso(found.at), json.dumps(as_json(found.models))),
        )
        for (provider, account), found in lists.items()
    )
    columns = ("provider", "account", "address", "etag", "checked_at", "models")
    return TableSnapshot("model_lists", columns, rows)


def retired_models(retired: Retired) -> TableSnapshot:
    rows = tuple(
        (storable(key[0]), key[1], storable(key[2]), storable(address), iso(at))
        for key, (at, address) in retired.items()
    )
    columns = ("provider", "account", "model", "address", "retired_at")
    return TableSnapshot("retired_models", columns, rows)


def read_lists(rows: Iterable[Mapping[str, Any]]) -> Lists:
    found = {}
    for row in rows:
        try:
            models = from_json(json.loads(row["models"]))
            at = unix(row["checked_at"])
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        known = ModelList(models, row["address"], at, row["etag"])
        found[row["provider"], row["account"]] = known
    return found


def read_retired(rows: Iterable[Mapping[str, Any]]) -> Retired:
    return {
        (row["provider"], row["account"], row["model"]): (
            unix(row["retired_at"]),
            row["address"],
        )
        for row in rows
    }

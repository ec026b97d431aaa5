"""`GET /v1/models`: which paths ask for it, and Anthropic's form of the list, paged.

    /v1/models, /models, /openai/v1/models, /v1/models/NAME     `listed_model`
    anthropic-version: …  ?limit=&after_id=&before_id=          `anthropic_page`

Apps append `/models` to whatever base URL they were given, as they do with the routed
paths, so any prefix is fine. Claude Code reads the list in Anthropic's form only.

What this file does not know: HTTP messages, which models there are.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

MAX_MODELS = 1000
"""Entries of one page at most; also what a page holds when no limit is asked for."""
UNKNOWN_DATE = "1970-01-01T00:00:00Z"

_models = re.compile(r"((?:/[^/]+)*?)/models(?:/(.+))?").fullmatch
_PRIVATE = "v1internal"
"""Version of an API that is private to a product."""


class BadPage(ValueError):
    """A parameter of the page is out of range; the text names it."""


def listed_model(path: str) -> str | None:
    """ "" for the list, a model's name for one entry, whatever its form; None: another path.

    `path` as `dialects.plain_path` leaves it: no query, no doubled or trailing slashes.
    """
    found = _models(path)
    if found is None or found[1].rpartition("/")[2] == _PRIVATE:
        return None
    return unquote(found[2] or "")


def version_of(path: str) -> str:
    """What stands before `/models`: `v1`, `v1beta`, "" for nothing."""
    found = _models(path)
    return found[1].rpartition("/")[2] if found is not None else ""


def anthropic_entry(name: str) -> dict[str, object]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": UNKNOWN_DATE,
    }


def anthropic_page(names: Sequence[str], query: Mapping[str, str]) -> dict[str, object]:
    """One page of the list, as Anthropic answers it. Raises BadPage.

    `query`: `limit` (1 to 1000), `after_id` or `before_id` (an id of a former page).
    """
    text = query.get("limit", str(MAX_MODELS))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_MODELS):
        raise BadPage(f"limit: write a whole number from 1 to {MAX_MODELS}.")
    limit = int(text)
    ids = list(names)
    if (after := query.get("after_id")) is not None:
        rest = ids[ids.index(after) + 1 :] if after in ids else []
        page, more = rest[:limit], len(rest) > limit
    elif (before := query.get("before_id")) is not None:
        rest = ids[: ids.index(before)] if before in ids else []
        page, more = rest[-limit:], len(rest) > limit
    else:
        page, more = ids[:limit], len(ids) > limit
    return {
        "data": [anthropic_entry(name) for name in page],
        "has_more": more,
        "first_id": page[0] if page else None,
        "last_id": page[-1] if page else None,
    }

"""Google's list of models: `GET /v1beta/models`, paged, and one of them."""

from collections.abc import Mapping, Sequence

MOST = 1000
"""Entries of one page at most."""
USUAL = 50


def model_entry(name: str) -> dict[str, object]:
    return {
        "name": f"models/{name}",
        "baseModelId": name,
        "version": name,
        "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def model_page(names: Sequence[str], query: Mapping[str, str]) -> dict[str, object]:
    """One page: `pageSize` (1 to 1000), `pageToken` as a former page gave it.

    Raises ValueError, with what to write instead.
    """
    size = _number(query, "pageSize", USUAL) or USUAL
    start = _number(query, "pageToken", 0)
    page = list(names)[start : start + min(size, MOST)]
    found: dict[str, object] = {"models": [model_entry(name) for name in page]}
    if start + len(page) < len(names) and page:
        found["nextPageToken"] = str(start + len(page))
    return found


def _number(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name}: write a whole number, or leave it out.")
    return int(text)

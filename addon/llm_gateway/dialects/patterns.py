"""Patterns of names in quirks: a name, or the beginning of names with `*` behind it."""

from collections.abc import Iterable


def one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(
        name.startswith(each[:-1]) if each.endswith("*") else name == each
        for each in patterns
    )

"""Puts a function of ours in the place of one of mitmproxy's.

Whether that one is known is asked per group, before: see `fastpath.install`.
"""

from typing import Any


def replace(owner: Any, name: str, new: Any) -> None:
    """Set `owner.name`. Raises AttributeError where there is nothing to replace."""
    getattr(owner, name)
    setattr(owner, name, new)

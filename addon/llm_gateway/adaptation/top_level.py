"""Top-level members: what quirks make of them, for dialects without an adapter of their own.

Handles the kinds `member`, `rename`, `sampling` and `limit`; everything below the top is
left as it is. Pure.
"""

import re
from collections.abc import Mapping

from llm_gateway.adaptation.adapted import Adapted, Change
from llm_gateway.adaptation.kept_state import Recall, nothing_kept
from llm_gateway.adaptation.vocabulary import Quirks
from llm_gateway.adaptation.wording import NEEDED

_WHOLE = re.compile(r"\d{1,15}")


def adapt_top_level(
    values: Mapping[str, object], quirks: Quirks, recall: Recall = nothing_kept
) -> Adapted:
    """The edits that these quirks ask for at the top."""
    replaced: dict[str, object] = {}
    dropped: set[str] = set()
    renamed: dict[str, str] = {}
    changes: list[Change] = []
    for quirk in quirks:
        kind, name, value, sign = quirk
        if name not in values or name in NEEDED:
            continue
        if kind == "member" or (kind == "sampling" and not value):
            dropped.add(name)
            changes.append(Change(name))
        elif kind == "rename" and value:
            if value in values:
                dropped.add(name)
                changes.append(Change(name))
            else:
                renamed[name] = value
                changes.append(Change(name, f"as {value}"))
        elif kind == "sampling" or kind == "limit":
            found = _bounded(values[name], value, sign)
            if found is not None:
                replaced[name] = found
                changes.append(Change(name, str(found)))
    return Adapted(replaced, frozenset(dropped), renamed, tuple(changes))


def _bounded(asked: object, value: str, sign: str) -> int | float | None:
    """What stands there instead; None: it may stay."""
    try:
        bound = int(value) if _WHOLE.fullmatch(value) else float(value)
    except ValueError:
        return None
    if isinstance(asked, bool) or not isinstance(asked, int | float):
        return None
    fits = {"=": asked == bound, "<=": asked <= bound, ">=": asked >= bound}
    return None if fits.get(sign, True) else bound

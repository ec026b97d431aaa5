"""Tables of what refusals taught and whose signed blocks are whose: `quirks`,
`conversation_quirks`, `opaque`; written and read."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from llm_gateway.adaptation.conversation_quirks import MOST as MOST_CONVERSATIONS
from llm_gateway.adaptation.conversation_quirks import Row as ConversationRow
from llm_gateway.adaptation.learned import LearnedQuirk
from llm_gateway.adaptation.sentences import sentence
from llm_gateway.adaptation.signed_blocks import MOST as MOST_BLOCKS
from llm_gateway.adaptation.vocabulary import Quirk
from llm_gateway.ledger.rows import storable
from llm_gateway.ledger.table_snapshots import AddedRows, TableSnapshot
from llm_gateway.timestamps import iso, unix

_QUIRKS = ("provider", "model", "dialect", "quirk", "says", "learned_at", "wording")
_QUIRK_COLUMNS = (*_QUIRKS, "words", "address", "uses")
ALL_QUIRKS = f"SELECT {', '.join(_QUIRK_COLUMNS)} FROM quirks ORDER BY learned_at"


def learned_quirks(lessons: Iterable[LearnedQuirk]) -> TableSnapshot:
    rows = tuple(
        (
            *(storable(x.provider), storable(x.model), x.dialect, str(x.quirk)),
            *(
                storable(sentence(x.quirk)),
                iso(x.at),
                x.wording,
                storable(x.words),
                x.address,
                x.uses,
            ),
        )
        for x in lessons
    )
    return TableSnapshot("quirks", _QUIRK_COLUMNS, rows)


def read_quirks(rows: Iterable[Mapping[str, Any]]) -> list[LearnedQuirk]:
    """Rows of another version, whose quirks mean nothing here, are left out."""
    found = []
    for row in rows:
        try:
            quirk, at = Quirk.parse(row["quirk"]), unix(row["learned_at"])
        except ValueError:
            continue
        place = row["provider"], row["model"], row["dialect"]
        more = row["wording"], row["words"], row["address"], row["uses"]
        found.append(LearnedQuirk(*place, quirk, at, *more))
    return found


CONVERSATION_QUIRKS = (
    "SELECT talk, quirks, learned_at FROM conversation_quirks ORDER BY n"
)


def conversation_quirks(rows: Iterable[ConversationRow]) -> TableSnapshot:
    """Hashes of conversations with what was learned of them, the newest last."""
    made = tuple((talk, quirks, iso(at)) for talk, quirks, at in rows)
    columns = ("talk", "quirks", "learned_at")
    return AddedRows("conversation_quirks", columns, made, MOST_CONVERSATIONS)


def read_conversation_quirks(
    rows: Iterable[Mapping[str, Any]],
) -> list[ConversationRow]:
    found = []
    for row in rows:
        with suppress(ValueError):
            found.append((row["talk"], row["quirks"], unix(row["learned_at"])))
    return found


SIGNED_BLOCKS = "SELECT hash, maker FROM opaque ORDER BY n"


def signed_blocks(known: Iterable[tuple[str, str]], now: float) -> TableSnapshot:
    """Hashes of signed blocks with their makers, the newest last."""
    rows = tuple((digest, storable(maker), iso(now)) for digest, maker in known)
    return AddedRows("opaque", ("hash", "maker", "ts"), rows, MOST_BLOCKS)

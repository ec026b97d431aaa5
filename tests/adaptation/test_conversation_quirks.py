"""What was learned of one conversation: for that one alone, bounded, over a restart."""

import pytest

from llm_gateway.adaptation.conversation_quirks import ConversationQuirks, Talk
from llm_gateway.adaptation.learned import KEPT
from llm_gateway.adaptation.vocabulary import NO_QUIRKS, Quirk, Quirks

TALK = Talk("client me", "0" * 32, "claude", "opus", "messages")
OUT, IDS = Quirk.parse("state:thinking=out"), Quirk.parse("state:ids=out")


def test_of_that_conversation_alone() -> None:
    known = ConversationQuirks()
    assert not known
    assert known.remember(TALK, OUT, 1.0)
    assert not known.remember(TALK, OUT, 2.0)
    assert known.of(TALK) == Quirks([OUT])
    for name in TALK._fields:
        assert known.of(TALK._replace(**{name: "other"})) is NO_QUIRKS


def test_written_down_once_and_read_again() -> None:
    known = ConversationQuirks()
    known.remember(TALK, OUT, 1.0)
    known.remember(TALK, IDS, 2.0)
    [row] = known.take_changed()
    assert row == (TALK.hash, "state:thinking=out state:ids=out", 2.0)
    assert not any(word in str(row) for word in ("me", "claude", "opus"))
    assert known.take_changed() == ()
    later = ConversationQuirks()
    later.load([row], now=3.0)
    assert later.of(TALK) == Quirks([OUT, IDS])
    assert later.take_changed() == ()
    assert not later.remember(TALK, OUT, 4.0)


def test_what_is_taken_back_stays_away() -> None:
    known = ConversationQuirks()
    known.remember(TALK, OUT, 1.0)
    known.remember(TALK, IDS, 1.0)
    known.forget(TALK, OUT, 2.0)
    assert known.take_changed() == ((TALK.hash, "state:ids=out", 2.0),)
    known.forget(TALK, IDS, 3.0)
    known.forget(TALK, IDS, 4.0)
    [gone] = known.take_changed()
    assert gone == (TALK.hash, "", 3.0)
    assert not known
    later = ConversationQuirks()
    later.load([gone], now=5.0)
    assert not later


@pytest.mark.parametrize(
    ("texts", "at", "left"),
    [
        ("state:ids=out", 100.0, "state:ids=out"),
        ("state:ids=out", 99.0 - KEPT, ""),
        ("message:channel state:ids=out nonsense", 100.0, "state:ids=out"),
        ("new_kind:x", 100.0, ""),
        ("", 100.0, ""),
    ],
)
def test_rows_of_other_times_and_versions(texts: str, at: float, left: str) -> None:
    known = ConversationQuirks()
    known.load([(TALK.hash, texts, at)], now=100.0)
    assert known.of(TALK) == Quirks.parse(*left.split())


def test_bounded() -> None:
    known = ConversationQuirks(most=3)
    talks = [TALK._replace(opening=str(n)) for n in range(5)]
    for talk in talks:
        known.remember(talk, OUT, 1.0)
        known.of(talks[0])
    assert [bool(known.of(talk)) for talk in talks] == [True, False, False, True, True]
    assert len(known.take_changed()) == 3

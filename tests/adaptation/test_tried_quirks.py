"""Tried quirks: one asker's until they are answered; served members: what contradicts them."""

import pytest

from llm_gateway.adaptation.learned import LearnedQuirk
from llm_gateway.adaptation.served_members import (
    MOST_ASKERS,
    MOST_MEMBERS,
    MOST_SHAPES,
    SHORTLY,
    ServedMembers,
)
from llm_gateway.adaptation.tried_quirks import MOST_PLACES, TRIED_FOR, TriedQuirks
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirk, Quirks

PLACE = ("p", "m", "chat")
NOW = 1_000.0


def lesson(quirk: str, at: float = NOW, wording: int = 7) -> LearnedQuirk:
    return LearnedQuirk("p", "m", "chat", Quirk.parse(quirk), at, wording)


def test_they_hold_for_their_asker_alone_and_for_a_while() -> None:
    tried = TriedQuirks()
    assert not tried
    assert tried.remember("a", lesson("member:stop"))
    assert not tried.remember("a", lesson("member:stop", NOW + 1))
    assert tried.of("a", PLACE, NOW) == Quirks.parse("member:stop")
    assert tried.of("b", PLACE, NOW) is NO_QUIRKS
    assert tried.of("a", ("p", "n", "chat"), NOW) is NO_QUIRKS
    assert tried.of("a", PLACE, NOW + TRIED_FOR + 1) is NO_QUIRKS


def test_they_are_taken_with_what_the_same_refusal_taught() -> None:
    tried = TriedQuirks()
    for one in (lesson("call:x"), lesson("call:*"), lesson("member:y", wording=8)):
        assert tried.remember("a", one)
    assert tried.take("b", PLACE, Quirks.parse("call:x")) == []
    taken = tried.take("a", PLACE, Quirks.parse("call:x"))
    assert [str(one.quirk) for one in taken] == ["call:x", "call:*"]
    assert tried.of("a", PLACE, NOW) == Quirks.parse("member:y")
    assert tried.take("a", PLACE, Quirks.parse("member:y"))
    assert not tried


def test_they_are_bounded_and_forgotten_by_hand() -> None:
    tried = TriedQuirks()
    for n in range(MOST + 9):
        assert tried.remember("a", lesson(f"member:m{n}")) is (n < MOST)
    for n in range(MOST_PLACES):
        assert tried.remember(f"asker {n}", lesson("member:x"))
    assert tried.of("a", PLACE, NOW) is NO_QUIRKS
    tried.forget("p", "another")
    assert tried
    tried.forget("p")
    assert not tried


@pytest.mark.parametrize(
    ("quirk", "doubted"),
    [
        ("member:stop", True),
        ("rename:stop=stops", True),
        ("sampling:stop", True),
        ("member:stop=unfit", True),
        ("endpoint:tools", True),
        ("member:store", False),
        ("member:stop=false", False),
        ("sampling:stop=1", False),
        ("limit:stop<=4", False),
        ("message:stop", False),
        ("endpoint:tools_with_effort=responses", False),
    ],
)
def test_what_others_are_served_with_is_not_taken(quirk: str, doubted: bool) -> None:
    served = ServedMembers()
    served.record(PLACE, "good", frozenset({"stop", "tools"}), NOW)
    served.record(PLACE, "good", frozenset({"model"}), NOW + 1)  # and then without
    quirks = Quirks.parse(quirk)
    assert served.contradict(PLACE, "bad", quirks, NOW + 2) is doubted
    assert not served.contradict(PLACE, "good", quirks, NOW + 2)
    assert not served.contradict(("p", "n", "chat"), "bad", quirks, NOW + 2)
    assert not served.contradict(PLACE, "bad", quirks, NOW + SHORTLY + 1)
    served.forget("p")
    assert not served.contradict(PLACE, "bad", quirks, NOW + 2)


def test_what_is_served_is_bounded() -> None:
    served = ServedMembers()
    served.record(PLACE, "first", frozenset({"stop"}), NOW)
    for n in range(MOST_ASKERS):
        served.record(PLACE, f"asker {n}", frozenset({"seed"}), NOW)
    assert not served.by_others(PLACE, "bad", "stop", NOW)
    assert served.by_others(PLACE, "bad", "seed", NOW)
    many = frozenset(f"m{n}" for n in range(MOST_MEMBERS + 1))
    served.record(PLACE, "many", many, NOW)
    assert not served.by_others(PLACE, "bad", "m0", NOW)
    for n in range(MOST_SHAPES + 1):
        served.record(PLACE, "many", frozenset({f"s{n}"}), NOW)
    assert not served.by_others(PLACE, "bad", "s0", NOW)
    assert served.by_others(PLACE, "bad", "s1", NOW)

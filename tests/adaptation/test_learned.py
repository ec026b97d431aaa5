"""Learned quirks: bounded, forgetful, and taken back where they never helped."""

import pytest

from llm_gateway.adaptation.adapted import Adapted, Change
from llm_gateway.adaptation.learned import KEPT, LearnedQuirk, LearnedQuirks
from llm_gateway.adaptation.sentences import sentence
from llm_gateway.adaptation.vocabulary import MOST, NO_QUIRKS, Quirk, Quirks

PLACE = ("p", "m", "chat")


def lesson(
    quirk: str, provider: str = "p", model: str = "m", at: float = 0.0, where: str = "a"
) -> LearnedQuirk:
    return LearnedQuirk(provider, model, "chat", Quirk.parse(quirk), at, 7, "no", where)


def taught(*lessons: LearnedQuirk) -> LearnedQuirks:
    found = LearnedQuirks()
    for one in lessons:
        assert found.remember(one)
    return found


def test_kept_by_provider_model_and_dialect() -> None:
    quirks = taught(lesson("member:store"), lesson("call:index", model="n"))
    assert quirks.of(*PLACE) == Quirks.parse("member:store")
    assert quirks.of("p", "n", "chat") == Quirks.parse("call:index")
    for elsewhere in (("p", "m", "messages"), ("q", "m", "chat"), ("p", "o", "chat")):
        assert quirks.of(*elsewhere) is NO_QUIRKS


def test_said_twice_is_learned_once() -> None:
    quirks = taught(lesson("member:store"))
    assert not quirks.remember(lesson("member:store", at=5))
    assert [one.at for one in quirks] == [0]


def test_the_newer_of_two_that_disagree_holds() -> None:
    quirks = taught(lesson("limit:max_tokens<=9"), lesson("limit:max_tokens<=8"))
    assert quirks.of(*PLACE) == Quirks.parse("limit:max_tokens<=8")
    there, back = "rename:a=b", "rename:b=a"
    assert taught(lesson(there), lesson(back)).of(*PLACE) == Quirks.parse(back)


def test_of_what_one_provider_teaches_too_much_the_least_useful_goes() -> None:
    quirks = taught(*(lesson(f"member:m{n}", model=f"m{n % 9}") for n in range(MOST)))
    for one in quirks:
        one.uses = 5
    [least] = [one for one in quirks if str(one.quirk) == "member:m7"]
    least.uses = 2
    assert quirks.remember(lesson("message:x", at=9))
    assert quirks.remember(lesson("message:*", at=9))  # of the same refusal
    assert quirks.remember(lesson("member:m0", "q"))
    left = {str(one.quirk) for one in quirks if one.provider == "p"}
    assert len(left) == MOST
    assert {"message:x", "message:*"} < left
    assert "member:m7" not in left


@pytest.mark.parametrize(
    ("model", "left"), [(None, ["q/m"]), ("m", ["p/n", "q/m"]), ("x", 3)]
)
def test_forgotten_by_hand(model: str | None, left: object) -> None:
    three = (lesson("member:a"), lesson("member:a", model="n"), lesson("member:a", "q"))
    quirks = taught(*three)
    gone = quirks.forget("p", model)
    found = sorted(f"{one.provider}/{one.model}" for one in quirks)
    assert (len(found) if isinstance(left, int) else found) == left
    assert len(gone) + len(found) == 3
    if left != 3:
        assert quirks.of(*PLACE) is NO_QUIRKS


def test_forgotten_when_old_or_when_the_provider_moved() -> None:
    quirks = taught(lesson("member:a", at=0), lesson("member:b", at=9))
    assert not quirks.forget_old(KEPT)
    assert quirks.forget_old(KEPT + 1)
    assert quirks.of(*PLACE) == Quirks.parse("member:b")
    assert not quirks.forget_moved({"p": "a", "q": "b"})
    assert not quirks.forget_moved({})
    assert quirks.forget_moved({"p": "elsewhere"})
    assert list(quirks) == []


def test_taken_back_only_where_it_never_helped() -> None:
    quirks = taught(lesson("member:a"), lesson("message:x"), lesson("member:c"))
    assert quirks.used(
        PLACE, Adapted(dropped=frozenset("ab"), changes=(Change("a"), Change("b")))
    )
    assert not quirks.used(
        PLACE, Adapted(dropped=frozenset("b"), changes=(Change("b"),))
    )
    gone = quirks.take_back(PLACE, Quirks.parse("member:a", "message:x"))
    assert [str(one.quirk) for one in gone] == ["message:x"]
    assert quirks.of(*PLACE) == Quirks.parse("member:a", "member:c")


@pytest.mark.parametrize(
    ("quirk", "said"),
    [
        ("member:store", "without `store`"),
        ("message:reasoning_content", "without messages[].reasoning_content"),
        ("message:*", "with the core members of messages only"),
        ("rename:max_tokens=max_completion_tokens", "with `max_tokens` as `max_completion_tokens`"),
        ("id:call=[a-zA-Z0-9]{9}", "with call ids that match [a-zA-Z0-9]{9}"),
        ("role:developer=system", "with the role developer as system"),
        ("role:system=first", "with the system message first"),
        ("limit:max_tokens<=8192", "with `max_tokens` at most 8192"),
        ("limit:max_output_tokens>=16", "with `max_output_tokens` at least 16"),
        ("sampling:temperature", "without `temperature`"),
        ("sampling:temperature=1", "with `temperature` 1 alone"),
    ],
)  # fmt: skip
def test_said_in_words(quirk: str, said: str) -> None:
    assert sentence(Quirk.parse(quirk)) == said

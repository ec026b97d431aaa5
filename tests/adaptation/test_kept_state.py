"""Thoughts and signatures by call id: who is given what, told apart how, in how much memory."""

import pytest

from llm_gateway.adaptation.kept_state import (
    CallKey,
    Kept,
    KeptState,
    asker_of,
    fingerprint,
    issued,
    nothing_kept,
)
from llm_gateway.adaptation.makers import maker_of
from llm_gateway.adaptation.signed_blocks import SignedBlocks, block_hash

CALL = CallKey("call_1", "add", '{"a":1,"b":2}')
DEEPSEEK, KIMI = "deepseek a:443", "moonshot b:443"


def kept_state(*calls, **more):
    state = KeptState()
    state.remember("me", DEEPSEEK, calls, **more)
    return state


def test_what_was_thought_comes_back_whole():
    state = kept_state((CALL, Kept("Two sums.")), conversation="t")
    assert state.recall_for("me", DEEPSEEK, "t")(CALL) == Kept(
        "Two sums.", maker=DEEPSEEK
    )


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ('{"a":1,"b":2}', True),
        (' { "b" : 2, "a" : 1 } ', True),
        ('{"a":1.0,"b":2}', True),
        ('{"a":"1","b":2}', False),
        ('{"a":1}', False),
        ("", False),
        ("{", False),
    ],
)
def test_arguments_are_compared_as_json(written, same):
    recall = kept_state((CALL, Kept("x"))).recall_for("me", DEEPSEEK)
    assert (recall(CALL._replace(arguments=written)) is not None) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", "{}"),
        ("{", " {"),
        ('{"é":1}', '{"\\u00e9":1}'),
        ("[" * 9999, "[" * 9999 + " "),
    ],
)
def test_two_ways_to_write_the_same_arguments(one, other):
    assert fingerprint("f", one) == fingerprint("f", other)


@pytest.mark.parametrize(
    "other",
    [
        CALL._replace(id="call_2"),
        CALL._replace(name="sub"),
        CALL._replace(id=""),
    ],
)
def test_another_call_is_another(other):
    assert kept_state((CALL, Kept("x"))).recall_for("me", DEEPSEEK)(other) is None


def test_nobody_sees_what_another_asked():
    state = kept_state((CALL, Kept("x", "sig")), conversation="t")
    assert state.recall_for("you", DEEPSEEK, "t")(CALL) is None
    assert asker_of("alice", "alice") != asker_of(None, "alice")


def test_another_maker_is_given_plain_thoughts_and_nothing_signed():
    kept = Kept("x", "sig", opaque=[{"type": "reasoning.encrypted"}])
    state = kept_state((CALL, kept), conversation="t")
    assert state.recall_for("me", KIMI, "t")(CALL) == Kept("x", maker=DEEPSEEK)
    state.remember("me", DEEPSEEK, [(CALL, Kept(signature="sig"))], conversation="u")
    assert state.recall_for("me", KIMI, "u")(CALL) is None


def test_ids_that_come_again_belong_to_their_conversation():
    state = kept_state((CALL, Kept("of one")), conversation="one")
    assert state.recall_for("me", DEEPSEEK, "two")(CALL) is None
    state.remember("me", DEEPSEEK, [(CALL, Kept("of two"))], conversation="two")
    for talk in ("one", "two"):
        found = state.recall_for("me", DEEPSEEK, talk)(CALL)
        assert found is not None
        assert found.thoughts == f"of {talk}"


@pytest.mark.parametrize(
    ("id", "found"),
    [
        ("call_9AbC12dEfGhIjKlM34", True),
        ("toolu_01A09q90qw90lq917835lq9", True),
        ("D681PevKs", True),
        ("functions.add:0", False),
        ("call_00000000001", False),
        ("call_add", False),
    ],
)
def test_an_id_that_is_made_once_is_known_when_the_beginning_was_rewritten(id, found):
    call = CALL._replace(id=id)
    recall = kept_state((call, Kept("x")), conversation="t").recall_for(
        "me", DEEPSEEK, "rewritten"
    )
    assert (recall(call) is not None) is found


def test_the_nth_call_has_the_nth_thought():
    state = KeptState()
    for n in range(3):
        state.remember(
            "me", DEEPSEEK, [(CALL, Kept(f"thought {n}"))], earlier=lambda _, n=n: n
        )
    recall = state.recall_for("me", DEEPSEEK)
    said = [found.thoughts for n in range(3) if (found := recall(CALL, n))]
    assert said == ["thought 0", "thought 1", "thought 2"]
    assert recall(CALL, 3) is None


def test_an_answer_that_is_made_again_takes_the_place_of_the_first():
    state = kept_state((CALL, Kept("first")))
    state.remember("me", DEEPSEEK, [(CALL, Kept("second"))], earlier=lambda _: 0)
    found = state.recall_for("me", DEEPSEEK)(CALL)
    assert found is not None
    assert found.thoughts == "second"
    assert len(state) == 1
    # Made again without a thought: the first one's is not it.
    state.remember("me", DEEPSEEK, [(CALL, Kept())], earlier=lambda _: 0)
    assert state.recall_for("me", DEEPSEEK)(CALL) is None


def test_the_same_call_twice_in_one_answer():
    state = kept_state((CALL, Kept("x", "s0")), (CALL, Kept("x", "s1")))
    recall = state.recall_for("me", DEEPSEEK)
    assert [recall(CALL, n).signature for n in (0, 1)] == ["s0", "s1"]


def test_one_asker_has_a_share():
    state = KeptState(entries=400)
    state.remember("quiet", DEEPSEEK, [(CALL, Kept("mine"))])
    for n in range(2_000):
        state.remember("loud", DEEPSEEK, [(CALL._replace(id=str(n)), Kept("x"))])
    assert len(state) == 101
    assert state.recall_for("quiet", DEEPSEEK)(CALL) is not None
    loud = state.recall_for("loud", DEEPSEEK)
    assert loud(CALL._replace(id="0")) is None
    assert loud(CALL._replace(id="1999")) is not None


def test_bytes_are_bounded_too():
    state = KeptState(size=1 << 20)
    for asker in map(str, range(50)):
        for n in range(30):
            kept = Kept("t" * 5_000, "s" * 5_000, opaque=[{"data": "o" * 5_000}])
            call = CALL._replace(id=str(n))
            state.remember(asker, DEEPSEEK, [(call, kept)])
        assert state.bytes <= 1 << 20
    state.remember("huge", DEEPSEEK, [(CALL, Kept("t" * (1 << 20)))])
    assert state.recall_for("huge", DEEPSEEK)(CALL) is None
    assert 0 < state.bytes <= 1 << 20


def test_many_askers_are_bounded():
    state = KeptState()
    for n in range(3_000):
        state.remember(f"app {n}", DEEPSEEK, [(CALL, Kept("x"))])
    assert len(state) == 1_000


def test_what_is_asked_for_stays_longest():
    state = KeptState(entries=40)
    recall = state.recall_for("me", DEEPSEEK)
    for n in range(30):
        state.remember("me", DEEPSEEK, [(CALL._replace(id=str(n)), Kept("x"))])
        assert recall(CALL._replace(id="0")) is not None
    assert recall(CALL._replace(id="5")) is None


def test_signed_blocks_are_known_by_their_maker():
    state = KeptState()
    state.signed.remember("EqQBCgIYAhIM" * 9, "anthropic")
    recall = state.recall_for("me", "anthropic")
    assert issued(recall, "EqQBCgIYAhIM" * 9) is True
    assert issued(state.recall_for("me", KIMI), "EqQBCgIYAhIM" * 9) is False
    assert issued(recall, "EqQBCgIYAhIN" * 9) is None
    assert issued(nothing_kept, "EqQBCgIYAhIM" * 9) is None


def test_only_new_blocks_are_written_down():
    blocks = SignedBlocks(3)
    blocks.load([(block_hash("a" * 20), "anthropic")])
    for letter in "abcd":
        blocks.remember(letter * 20, "anthropic")
    assert blocks.take_new() == tuple(
        (block_hash(letter * 20), "anthropic") for letter in "bcd"
    )
    assert blocks.take_new() == ()
    assert len(blocks) == 3
    blocks.remember("short", "anthropic")
    assert blocks.maker("short") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("anthropic", "anthropic", "a"), ("anthropic", "bedrock", "b"), True),
        (("address", "groq", "a", "1"), ("address", "groq", "a", "2"), True),
        (("address", "groq", "a"), ("address", "groq", "b"), False),
        (("account", "openai", "a", "1"), ("account", "openai", "a", "2"), False),
        (
            ("google", "google", "g", "", "gemini-3-pro-preview"),
            ("google", "google", "g", "2", "models/gemini-3-flash"),
            True,
        ),
        (
            ("google", "google", "g", "", "gemini-3-pro"),
            ("google", "google", "g", "", "gemini-2.5-pro"),
            False,
        ),
        (
            ("google", "google", "g", "", "gemini-3-pro"),
            ("google", "google-vertex", "v", "", "google/gemini-3-pro"),
            False,
        ),
    ],
)
def test_makers(one, other, same):
    assert (maker_of(*one) == maker_of(*other)) is same


def test_what_no_json_can_hold_is_not_kept():
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    state = kept_state((CALL, Kept("x", opaque=deep)))
    assert len(state) == 0

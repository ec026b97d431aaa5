"""Items of translated answers: found by who asked for them, within bounds."""

from llm_gateway.adaptation.kept_items import KeptItems
from llm_gateway.adaptation.kept_state import KeptState, kept_item, nothing_kept


def test_each_asker_finds_its_own_and_a_newer_one_takes_its_place():
    kept = KeptItems()
    kept.remember("a", "msg_1", {"text": "one"})
    kept.remember("a", "msg_1", {"text": "two"})
    assert kept.find("a", "msg_1") == {"text": "two"}
    assert kept.find("b", "msg_1") is None
    assert len(kept) == 1


def test_the_oldest_go_when_there_is_no_room_and_one_too_large_is_not_kept():
    kept = KeptItems(most_bytes=4_000)
    for n in range(30):
        kept.remember("a", str(n), {"text": "x" * 100})
        kept.find("a", "0")  # used again and again: it stays
    assert 3 < len(kept) < 12
    assert kept.find("a", "0")
    assert kept.find("a", "29")
    assert kept.find("a", "1") is None
    kept.remember("a", "large", {"text": "x" * 3_000})
    assert kept.find("a", "large") is None


def test_a_request_finds_them_through_its_recall():
    state = KeptState()
    state.items.remember("app x", "msg_1", {"text": "one"})
    assert kept_item(state.recall_for("app x", "maker"), "msg_1") == {"text": "one"}
    assert kept_item(state.recall_for("app y", "maker"), "msg_1") is None
    assert kept_item(nothing_kept, "msg_1") is None

"""What the live page is sent: nothing is read twice, and changes add up to the whole."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from llm_gateway.dashboard.availability import stamp
from llm_gateway.dashboard.live import SILENT_AFTER, snapshot
from llm_gateway.dashboard.live_memory import Answer, Asked, LiveMemory
from llm_gateway.dashboard.reader import Ask, Reader
from llm_gateway.dashboard.recent_requests import RecentRequests

from .conftest import NOW
from .ledgers import Ledger

ASKED = Asked(5, True, False, ZoneInfo("UTC"))
START = NOW - NOW % 60
"""A full minute: the next seconds are of one minute and of one column."""


class Looks:
    """One memory over one ledger, and how many statements each look took."""

    def __init__(self, ledger: Ledger) -> None:
        self.reader = Reader(ledger.path, "test", seconds=10)
        self.memory = LiveMemory("test")
        self.asked = 0

    def at(self, now: float) -> Answer:
        def work(ask: Ask) -> Answer:
            def counted(*args: Any) -> Any:
                self.asked += 1
                return ask(*args)

            self.asked = 0
            return self.memory.look(counted, self.reader.version(), ASKED, now)

        return self.reader._run(work)

    def fresh(self, now: float) -> Any:
        """The same without a memory."""
        found = self.reader._run(
            lambda ask: snapshot(ask, RecentRequests(), minutes=5, simulated=True, now=now)
        )  # fmt: skip
        return settled(json.loads(json.dumps(found)))


def settled(found: Any) -> Any:
    """A forecast goes on with the minute: here it is only whether there is one."""
    for one in (*found["refills"], *found["alerts"]):
        one["empty"] = one.get("empty") is not None
    return found


@pytest.fixture
def looks(ledger: Ledger) -> Iterator[Looks]:
    for provider in ("groq", "gemini"):
        ledger.provider(provider, free=1)
        for model in ("small", "large"):
            ledger.model(provider, model)
            ledger.offer(provider, model)
            ledger.limit(provider, model, "requests", "day", 3, 10, START + 7_000)
    beat(ledger, START)
    ledger.request(START - 60, provider="groq", model="small")
    found = Looks(ledger)
    yield found
    found.reader.close()


def beat(ledger: Ledger, now: float) -> None:
    ledger.beat(now, started_at="2026-01-01T00:00:00.000Z", config_loaded_at=None)


def whole(answer: Answer) -> Any:
    found = json.loads(answer.text(None))
    del found["tag"]
    return settled(found)


def put_together(before: Any, change: Any) -> Any:
    """As the page does it."""
    assert change.pop("since") == before["tag"]
    found = copy.deepcopy(before)
    changed = change.pop("changed", {"providers": [], "models": []})
    found |= change
    for n, provider in changed["providers"]:
        found["providers"][n] |= provider
    for n, m, model in changed["models"]:
        found["providers"][n]["models"][m] = model
    return found


CHANGES: dict[str, Callable[[Ledger], object]] = {
    "nothing": lambda at: None,
    "a heartbeat": lambda at: beat(at, START + 1),
    "another policy": lambda at: at.beat(START + 1, policy="free-only"),
    "a request": lambda at: at.request(START + 1, provider="groq", model="large"),
    "one on its way": lambda at: at.request(START + 1, provider="groq", model="large", outcome="in_flight"),
    "a request that failed": lambda at: at.request(START, provider="gemini", model="large", outcome="error"),
    "a limit": lambda at: at.limit("gemini", "large", "requests", "day", 9, 10, START + 7_000),
    "a limit moved to another": lambda at: [
        at.limit("gemini", "large", "requests", "day", 2, 10, START + 7_000),
        at.limit("gemini", "small", "requests", "day", 4, 10, START + 7_000),
    ],
    "a pause": lambda at: at.offer("groq", "small", "cooling down", reason="429"),
    "a model more": lambda at: at.model("groq", "medium"),
    "a model off": lambda at: at.model("groq", "small", enabled=0, reason="disabled"),
    "a provider more": lambda at: at.provider("mistral"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changes_add_up_to_what_a_first_look_sees(
    ledger: Ledger, looks: Looks, change: Callable[[Ledger], object]
) -> None:
    first = json.loads(looks.at(START).text(None))
    change(ledger)
    second = looks.at(START + 1)
    assert whole(second) == looks.fresh(START + 1)
    sent = json.loads(second.text(first["tag"]))
    if "since" in sent:
        sent = put_together(first, sent)
    assert sent == json.loads(second.text(None))


def test_what_is_on_its_way_is_looked_at_until_it_ends(
    ledger: Ledger, looks: Looks
) -> None:
    id_ = ledger.request(START, provider="groq", model="small", outcome="in_flight")
    looks.at(START)
    for n, outcome in enumerate(("in_flight", "ok", "ok"), 1):
        ledger.db.execute(
            "UPDATE requests SET outcome = ? WHERE id = ?", (outcome, id_)
        )
        assert whole(looks.at(START + n)) == looks.fresh(START + n)


def test_a_second_without_a_change_reads_nothing(ledger: Ledger, looks: Looks) -> None:
    tag = looks.at(START).parts.tag
    quiet = looks.at(START + 1)
    assert looks.asked == 0
    said = json.loads(quiet.text(tag))
    assert said.keys() == {"since", "tag", "now", "gateway"}
    assert (said["since"], said["tag"], said["now"]) == (tag, tag, START + 1)


def test_a_heartbeat_alone_puts_nothing_together_anew(
    ledger: Ledger, looks: Looks
) -> None:
    tag = looks.at(START).parts.tag
    all_of_it = looks.asked
    beat(ledger, START + 2)
    ledger.db.execute("UPDATE limit_state SET updated_at = 'later'")
    answer = looks.at(START + 2)
    assert looks.asked < all_of_it / 2
    assert answer.parts.tag == tag
    assert json.loads(answer.text(tag))["gateway"]["heartbeat"] == START + 2


MOMENTS = {
    "the gateway is silent": START + SILENT_AFTER + 1,
    "a column of the sparkline is over": START + 15,
    "a minute is over": START + 61,
    "a limit refills": START + 7_003,
    "a day is over": START + 90_000,
}


@pytest.mark.parametrize("now", MOMENTS.values(), ids=MOMENTS)
def test_time_alone_changes_what_is_shown(looks: Looks, now: float) -> None:
    looks.at(START)
    assert whole(looks.at(now)) == looks.fresh(now)


def test_a_pause_ends_by_itself(ledger: Ledger, looks: Looks) -> None:
    beat(ledger, START + 10)
    ledger.offer("groq", "small", "cooling down", reason="429", returns_at=stamp(START + 3))  # fmt: skip
    looks.at(START)
    for later in range(1, 8):
        assert whole(looks.at(START + later)) == looks.fresh(START + later)


def test_a_tag_that_nobody_knows_gets_all_of_it(ledger: Ledger, looks: Looks) -> None:
    answer = looks.at(START)
    assert answer.text("other-1") == answer.text(None)
    tag = answer.parts.tag
    for n in range(1, 8):
        ledger.request(START + n, provider="groq", model="small")
        answer = looks.at(START + n)
    assert answer.text(tag) == answer.text(None)

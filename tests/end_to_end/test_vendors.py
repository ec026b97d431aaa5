"""Real clients in the middle of a tool loop, from vendor to vendor and back.

The short form of `make tongues`: each vendor once as a source and once as a target, plain and
streamed, by the SDKs that the tests need anyway; other clients where they are installed. No
vendor is known, so that each has to teach what it refuses: once.
"""

from collections.abc import Iterator

import pytest
from vendors.chat_vendors import VENDORS as CHAT
from vendors.clients import CLIENTS
from vendors.google_vendors import VENDORS as GOOGLE
from vendors.messages_vendors import VENDORS as MESSAGES
from vendors.responses_vendors import VENDORS as RESPONSES
from vendors.stage import VendorStage, served, short_moves

from gateway import GatewayProcess

from .conftest import Start

TABLES = {
    "chat": CHAT,
    "messages": MESSAGES,
    "responses": RESPONSES,
    "generateContent": GOOGLE,
}
ALWAYS = {
    "chat": "openai",
    "messages": "anthropic",
    "responses": "openai, responses",
    "generateContent": "google-genai",
}

Served = tuple[VendorStage, GatewayProcess]


@pytest.fixture(scope="module", params=TABLES)
def talked(request: pytest.FixtureRequest, start_shared: Start) -> Iterator[Served]:
    """One client went from each vendor to the next and back."""
    stage = VendorStage(TABLES[request.param], request.param, known=False)
    with served(stage, start_shared) as gateway:
        assert _run(ALWAYS[request.param], stage, gateway, 0) == {}
        yield stage, gateway


def _run(
    name: str, stage: VendorStage, gateway: GatewayProcess, first: int
) -> dict[int, str]:
    """What went wrong. Even numbers are asked plain, odd ones streamed."""
    [client] = [c for c in CLIENTS if c.name == name]
    url = f"http://127.0.0.1:{gateway.port}"
    return client.run(url, short_moves(stage, first), None, timeout=150)


def test_every_request_is_a_row_and_counts(talked: Served) -> None:
    stage, gateway = talked
    gateway.wait_rows(
        "select count(*) n from requests where outcome = 'in_flight'",
        lambda rows: rows[0]["n"] == 0,
    )
    rows = gateway.rows(
        "select provider, count(*) sent, sum(counted) counted from attempts group by provider"
    )
    assert {r["provider"]: (r["sent"], r["counted"]) for r in rows} == {
        stage.id(n): (seen.requests, seen.requests - seen.away)
        for n, seen in enumerate(stage.seen)
    }


def test_nobody_refuses_the_same_thing_twice(talked: Served) -> None:
    stage, gateway = talked
    taught = gateway.rows(
        "select provider, reason from attempts where outcome = 'repaired'"
    )
    refused = sum(sum(seen.refused.values()) for seen in stage.seen)
    assert len(taught) == refused
    general = [t for t in taught if "state:" not in t["reason"]]
    assert len({(t["provider"], t["reason"]) for t in general}) == len(general)


def test_results_meet_their_calls_and_nobody_sees_anothers_state(
    talked: Served,
) -> None:
    stage, _ = talked
    assert [seen.wrong for seen in stage.seen] == [[] for _ in stage.seen]


def test_other_clients_are_answered_too(talked: Served) -> None:
    stage, gateway = talked
    others = [
        c
        for c in CLIENTS
        if c.dialect == stage.dialect and c.name not in ALWAYS.values()
    ]
    if not (installed := [c for c in others if not c.missing]):
        pytest.skip("`make clients` installs " + ", ".join(c.name for c in others))
    for n, client in enumerate(installed):
        assert _run(client.name, stage, gateway, 100 * (n + 1)) == {}, client.name
    assert [seen.wrong for seen in stage.seen] == [[] for _ in stage.seen]


def test_nothing_is_refused_after_a_restart(talked: Served) -> None:
    stage, gateway = talked
    gateway.stop()
    gateway.start()
    before = [seen.refused.copy() for seen in stage.seen]
    assert _run(ALWAYS[stage.dialect], stage, gateway, 9001) == {}
    assert [seen.refused for seen in stage.seen] == before

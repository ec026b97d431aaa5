"""One client's refusals teach nobody else, unless a resend was answered and nobody is served so.

One gateway and one fake, whose providers are told apart by the path; two clients.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes import Answer, FakeProvider, Received, answers

from gateway import GatewayProcess, provider

from .conftest import Start
from .failing import error

GOOD, BAD = {"user-agent": "good/1"}, {"user-agent": "bad/1"}
Refuses = Callable[[dict[str, Any]], str | None]
"""Body -> words of a refusal, or None."""
TURNS = itertools.count()
SCRIPTS: dict[str, Refuses] = {
    # a value, in words that could be about the member
    "value": lambda body: "Invalid parameter: stop" if body.get("stop") == 7 else None,
    # words about the member, of one value
    "words": lambda body: "Unsupported parameter: 'logit_bias'" if body.get("logit_bias") == {"x": 1} else None,
    # what keeps a request from being sent again
    "unfit": lambda body: "Unsupported parameter: 'stop'" if body.get("stop") == "wrong" else None,
    "alone": lambda body: "Unsupported parameter: 'stop'" if body.get("stop") == "wrong" else None,
    # now and then, as several servers behind one address do of which one is older
    "moods": lambda body: "Unknown parameter: 'seed'" if "seed" in body and next(TURNS) % 3 == 2 else None,
    # the member, whoever sends it
    "member": lambda body: "Unknown parameter: 'metadata'" if "metadata" in body else None,
}  # fmt: skip


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    def answer(request: Received) -> Answer:
        said = SCRIPTS[request.target.split("/")[1]](json.loads(request.body))
        if said is None:
            return answers.ok()(request)
        return answers.status(400, error(said, "invalid_request_error"))

    with FakeProvider(answer) as fake:
        yield fake


@pytest.fixture(scope="module")
def gateway(start_shared: Start, fake: FakeProvider) -> GatewayProcess:
    entries = [
        provider(fake, id, free=True, models=[{"name": "up", "mappedName": id}])
        | {"baseURL": f"{fake.base_url}/{id}/v1"}
        for id in SCRIPTS
    ]
    return start_shared({"providers": entries})


def learned(gateway: GatewayProcess, id: str) -> list[str]:
    found = gateway.rows("select quirk from quirks where provider = ?", id)
    return [row["quirk"] for row in found]


def test_a_wrong_value_is_told_and_the_member_stays(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    assert gateway.chat("value", GOOD, stop=["x"])[0] == 200
    for _ in range(2):
        status, _, said = gateway.chat("value", BAD, stop=7)
        assert (status, said["error"]["message"]) == (400, "Invalid parameter: stop")
    for asker in (GOOD, BAD):
        assert gateway.chat("value", asker, stop=["x"])[0] == 200
        assert fake.requests[-1].json()["stop"] == ["x"]
    assert learned(gateway, "value") == []


def test_what_others_are_served_with_is_mended_for_one_request_alone(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    assert gateway.chat("words", GOOD, logit_bias={"5": 1})[0] == 200
    for _ in range(2):
        status, headers, _ = gateway.chat("words", BAD, logit_bias={"x": 1})
        assert (status, headers["x-gateway-attempts"]) == (200, "2")
    for asker in (GOOD, BAD):
        assert gateway.chat("words", asker, logit_bias={"5": 1})[0] == 200
        assert fake.requests[-1].json()["logit_bias"] == {"5": 1}
    assert learned(gateway, "words") == []


def test_what_one_was_served_with_a_moment_ago_is_not_taken_from_everybody(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    tried = [gateway.chat("moods", GOOD, seed=1) for _ in range(9)]
    assert [status for status, _, _ in tried] == [200] * 9
    found = [headers["x-gateway-attempts"] for _, headers, _ in tried]
    assert found == ["1", "1", "2"] * 3
    assert learned(gateway, "moods") == []


def test_what_is_not_sent_again_is_not_kept(
    gateway: GatewayProcess, fake: FakeProvider
) -> None:
    assert gateway.chat("unfit", GOOD, stop=["x"])[0] == 200
    assert gateway.chat("unfit", BAD, stop="wrong")[0] == 400
    for asker in (GOOD, BAD):  # others are served: nothing was learned
        assert gateway.chat("unfit", asker, stop=["x"])[0] == 200
    # Nobody else is served: it holds for this one, and for nobody else.
    assert gateway.chat("alone", BAD, stop="wrong")[0] == 400
    asked = len(fake.requests)
    assert gateway.chat("alone", BAD, stop="wrong")[0] == 400
    assert len(fake.requests) == asked
    assert gateway.chat("alone", GOOD, stop=["x"])[0] == 200
    assert learned(gateway, "unfit") + learned(gateway, "alone") == []


def test_what_was_answered_without_it_is_everybodys(gateway: GatewayProcess) -> None:
    for asker, attempts in ((BAD, "2"), (BAD, "1"), (GOOD, "1")):
        status, headers, _ = gateway.chat("member", asker, metadata={"a": "b"})
        assert (status, headers["x-gateway-attempts"]) == (200, attempts)
        assert headers["x-gateway-adapted"] == "metadata"
    gateway.wait_rows("select * from quirks where provider = 'member'")
    assert learned(gateway, "member") == ["member:metadata"]
